"""The page: all parts that were made, and a note for each that was not."""

import html
from functools import partial
from pathlib import Path
from string import Template

from bokeh.resources import Resources

from cae.core import files
from cae.core.errors import UserError
from report import PARTS, Part
from report.sprites import COLUMNS
from stages.runner import inputs
from stages.runner.project import Project, Results

HERE = Path(__file__).parent
# The text names no missing file: the page depends on the parts alone, so DVC would keep old names.
MISSING = (
    '<p class="missing">This part was not made: it needs further results of the main pipeline or of a study. '
    "<code>make report</code> names them.</p>"
)


def page(project: Project) -> Results:
    """Return one HTML file that needs no other and no network."""
    sections = "\n".join(write_section(project, part) for part in PARTS)
    links = "\n".join(f'<li><a href="#{part.name}">{html.escape(part.title)}</a></li>' for part in PARTS)
    template = Template((HERE / "page.html").read_text("utf-8"))
    resources = Resources(mode="inline", components=["bokeh", "bokeh-widgets"])
    text = template.substitute(
        style=(HERE / "page.css").read_text("utf-8"),
        script=(HERE / "page.js").read_text("utf-8").replace("$columns", str(COLUMNS)),
        bokeh="\n".join(f"<script>{code}</script>" for code in resources.js_raw),
        links=links,
        sections=sections,
    )
    return {"report.html": partial(files.write_bytes, content=text.encode())}


def write_section(project: Project, part: Part) -> str:
    """Return the section of a part: its content, or a note that it is missing."""
    path = project.path("parts") / f"{part.name}.html"
    if path.exists():
        content = path.read_text("utf-8")
    else:
        check_missing(project, part)
        content = MISSING
    return (
        f'<section id="{part.name}"><h2>{html.escape(part.title)}</h2>\n'
        f'<p id="{part.name}-text">{html.escape(part.introduction)}</p>\n'
        f'<div role="figure" aria-labelledby="{part.name}-text">\n{content}\n</div>\n'
        f'<p class="more"><a href="{part.page}">More: {html.escape(part.page_title)}</a></p></section>'
    )


def check_missing(project: Project, part: Part) -> None:
    """Raise UserError where a part is missing although all its inputs exist."""
    stage = inputs.read_mapping(project.folder / "dvc.yaml")["stages"][part.name]
    if all(inputs.resolve(project.folder, name).exists() for name in stage["deps"]):
        raise UserError(
            f"report/parts/{part.name}.html is missing, although all its inputs exist: "
            f"run `cd report && dvc repro {part.name}` and see what it prints"
        )
