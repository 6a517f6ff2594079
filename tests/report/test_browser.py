"""The report in Chromium, without a network, at the widths of a desk and of a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, sync_playwright

from report import PARTS

pytestmark = pytest.mark.slow

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--proxy-server=127.0.0.1:9"]
WIDTHS = {"desk": ViewportSize(width=1280, height=900), "phone": ViewportSize(width=390, height=844)}
IDLE = "Bokeh.documents.length && Bokeh.documents.every(one => one.is_idle)"
DOCUMENTS = 1 + len(PARTS)  # one part has two


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, browser: Browser, built: Path) -> Iterator[Page]:
    """The page as it is after loading, at one width; nothing that it does may be an error."""
    is_phone = request.param == "phone"
    context = browser.new_context(viewport=WIDTHS[request.param], is_mobile=is_phone, has_touch=is_phone)
    page, errors = context.new_page(), []

    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("console", record)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((built / "report/report.html").as_uri())
    page.wait_for_function(f"{IDLE} && Bokeh.documents.length === {DOCUMENTS}")
    yield page
    assert errors == []
    context.close()


def press(page: Page, slider: Locator, key: str) -> None:
    """Move a slider by a key."""
    slider.locator(".noUi-handle").focus()
    page.keyboard.press(key)
    page.wait_for_function(IDLE)


def read_images(part: Locator) -> list[str]:
    """Return the places in their sheets of the images that a part shows."""
    return part.locator("span[role=img]").evaluate_all("all => all.map(one => one.style.background)")


def count_dark_pixels(chart: Locator) -> int:
    """Count the pixels of a chart that are not white."""
    count: int = chart.locator("canvas").first.evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const isDark = i => data[i + 3] > 0 && data[i] + data[i + 1] + data[i + 2] < 600;
          return data.filter((_, i) => i % 4 === 0 && isDark(i)).length;
        }"""
    )
    return count


def test_nothing_is_wider_than_the_page(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_part_shows_marks_or_images(part: str, page: Page) -> None:
    section = page.locator(f"#{part}")
    charts = section.locator(".bk-Figure")
    assert charts.count() or read_images(section)
    for chart in charts.all():
        assert count_dark_pixels(chart) > 100
    for image in section.locator("span[role=img]").all():
        assert image.get_attribute("aria-label")


@pytest.mark.parametrize(
    ("part", "slider", "key"),
    [
        ("directions", "principal component", "ArrowRight"),
        ("directions", "distance", "ArrowRight"),
        ("directions", "share of the way", "ArrowRight"),
        ("embedding", "image", "ArrowRight"),
        ("noise", "standard deviation", "ArrowRight"),
        ("anomalies", "threshold", "End"),
    ],
)
def test_a_slider_changes_the_images(part: str, slider: str, key: str, page: Page) -> None:
    section = page.locator(f"#{part}")
    before = read_images(section)
    press(page, section.locator(".bk-Slider").filter(has_text=slider), key)
    assert read_images(section) != before


def test_a_lower_threshold_catches_more_and_raises_more_false_alarms(page: Page) -> None:
    section = page.locator("#anomalies")
    threshold = section.locator(".bk-Slider")
    result = section.locator("b")
    press(page, threshold, "End")
    assert "Caught: 0 of 15" in result.inner_text()
    press(page, threshold, "Home")
    assert "Caught: 15 of 15" in result.inner_text()
    assert "False alarms: 14 of 15" in result.inner_text()


def test_pointing_at_a_code_shows_its_image(page: Page) -> None:
    page.locator("#embedding .bk-Figure").scroll_into_view_if_needed()
    # The circled image is a point of the chart: where it is drawn is known to Bokeh.
    x, y = page.evaluate(
        """() => {
          const chart = Bokeh.documents.flatMap(one => [...one._all_models.values()]).find(
            model => model.type === "Figure" && model.renderers.at(-1).data_source.get_length() === 1);
          const view = Bokeh.index.find_one(chart), {data} = chart.renderers.at(-1).data_source;
          const box = view.el.getBoundingClientRect();
          const {x_scale, y_scale} = view.frame;
          return [box.x + x_scale.compute(data.x[0]), box.y + y_scale.compute(data.y[0])];
        }"""
    )
    page.mouse.move(x - 40, y)
    page.mouse.move(x, y, steps=5)
    # A tooltip is above the page, in no part.
    tooltip = page.locator(".bk-Tooltip")
    tooltip.get_by_text("MSE").first.wait_for()
    assert tooltip.locator("span[style*='--embedding-images']").count()


def test_a_class_without_its_mark_is_not_drawn(page: Page) -> None:
    section = page.locator("#embedding")
    before = count_dark_pixels(section.locator(".bk-Figure"))
    section.locator("input[type=checkbox]").first.press("Space")
    page.wait_for_function(IDLE)
    assert count_dark_pixels(section.locator(".bk-Figure")) < before


@pytest.mark.parametrize(
    ("part", "control"),
    [("embedding", "network"), ("gallery", "method"), ("gallery", "class"), ("noise", "image")],
)
def test_a_choice_changes_the_images(part: str, control: str, page: Page) -> None:
    section = page.locator(f"#{part}")
    before = read_images(section)
    section.locator(".bk-Select").filter(has_text=control).first.locator("select").select_option(index=1)
    page.wait_for_function(IDLE)
    assert read_images(section) != before
