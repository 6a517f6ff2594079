"""The report in Chromium, without a network, at the widths of a desk and of a phone."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, sync_playwright

from cae.core.arrays import Images
from report import PARTS

pytestmark = pytest.mark.slow

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--proxy-server=127.0.0.1:9"]
WIDTHS = {"desk": ViewportSize(width=1280, height=900), "phone": ViewportSize(width=390, height=844)}
IDLE = "Bokeh.documents.length && Bokeh.documents.every(one => one.is_idle)"
DOCUMENTS = 2 + len(PARTS)  # two parts have two each


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


def count_coloured_pixels(chart: Locator) -> int:
    """Count the pixels of a chart that are neither white nor grey nor black: those of its marks."""
    count: int = chart.locator("canvas").first.evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const range = i => {
            const colour = data.slice(i, i + 3);
            return Math.max(...colour) - Math.min(...colour);
          };
          return data.filter((_, i) => i % 4 === 0 && data[i + 3] && range(i) > 60).length;
        }"""
    )
    return count


def read_pixels(image: Locator) -> Images:
    """Return the grey values of an image of the page, (12, 12) in [0, 1]."""
    picture = Image.open(BytesIO(image.screenshot())).convert("L").resize((12, 12))
    return np.asarray(picture, np.float32) / np.float32(255)


def is_alike(first: Images, second: Images) -> bool:
    """Compare images; sheets are compressed with a loss."""
    return bool(np.abs(first - second).mean() < 0.04)


def choose(page: Page, part: Locator, control: str, option: int) -> None:
    """Choose an option of a control by its number."""
    part.locator(".bk-Select").filter(has_text=control).first.locator("select").select_option(index=option)
    page.wait_for_function(IDLE)


def test_nothing_is_wider_than_the_page(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.locator("canvas, figcaption, input, label, p, select, span[role=img], .bk-label")
    ends = shown.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    assert max(ends) <= page.evaluate("innerWidth")


@pytest.mark.parametrize("part", [part.name for part in PARTS])
def test_a_part_shows_marks_or_images(part: str, page: Page) -> None:
    section = page.locator(f"#{part}")
    charts = section.locator(".bk-Figure")
    assert charts.count() or read_images(section)
    for chart in charts.all():
        assert count_coloured_pixels(chart) > 100
    for image in section.locator("span[role=img]").all():
        assert image.get_attribute("aria-label")


@pytest.mark.parametrize(
    ("part", "slider", "key"),
    [
        ("directions", "principal component", "ArrowRight"),
        ("directions", "distance", "ArrowRight"),
        ("directions", "share of the way", "ArrowRight"),
        ("embedding", "image", "ArrowRight"),
        ("noise", "strength", "ArrowRight"),
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
    result = section.locator("p", has_text="Caught by kind")
    press(page, threshold, "End")
    assert "Caught: 0 of 15 anomalous images. False alarms: 0 of 15" in result.inner_text()
    press(page, threshold, "Home")
    assert "Caught: 15 of 15 anomalous images. False alarms: 14 of 15" in result.inner_text()
    assert "Caught by kind: hole 15 of 15." in result.inner_text()


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
    before = count_coloured_pixels(section.locator(".bk-Figure"))
    section.locator("input[type=checkbox]").first.press("Space")
    page.wait_for_function(IDLE)
    assert count_coloured_pixels(section.locator(".bk-Figure")) < before


@pytest.mark.parametrize(
    ("part", "control"),
    [
        ("anomalies", "score"),
        ("directions", "image"),
        ("directions", "from"),
        ("embedding", "network"),
        ("gallery", "class"),
        ("gallery", "method"),
        ("gallery", "show"),
        ("noise", "image"),
    ],
)
def test_a_choice_changes_the_images(part: str, control: str, page: Page) -> None:
    section = page.locator(f"#{part}")
    before = section.locator("figure").evaluate_all("all => all.map(one => one.outerHTML)")
    choose(page, section, control, 1)
    assert section.locator("figure").evaluate_all("all => all.map(one => one.outerHTML)") != before


def test_another_score_has_another_chart_and_threshold(page: Page) -> None:
    section = page.locator("#anomalies")
    handle = section.locator(".noUi-handle")
    before = handle.get_attribute("aria-valuemax")
    choose(page, section, "score", 1)
    assert handle.get_attribute("aria-valuemax") != before


def test_a_distance_of_0_is_the_same_image_along_every_component(page: Page) -> None:
    section = page.locator("#directions")
    image = section.locator("figure").nth(1).locator("span[role=img]")
    before = read_pixels(image)
    press(page, section.locator(".bk-Slider").filter(has_text="principal component"), "End")
    assert is_alike(before, read_pixels(image))


def test_all_images_between_an_image_and_itself_are_the_same(page: Page) -> None:
    section = page.locator("#directions")
    choose(page, section, "from", 0)
    choose(page, section, "to", 0)
    first, *others = (
        section.locator("figure").filter(has_text="decoded, from").locator("span[role=img]").all()
    )
    assert all(is_alike(read_pixels(first), read_pixels(other)) for other in others)
