"""Let the page of `dvc plots` draw its charts without a network: python -m checks.offline.

DVC's own page loads the chart library from the network. Set-up writes a page that has the library inside and
points every DVC project to it, by plots.html_template in .dvc/config.local. Both are of this clone alone,
because dvc fails if the option is set and the page is missing: a clone without them works as DVC does.
"""

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".dvc" / "plots.html"
OPTION = "html_template"

# Charts as SVG: their text can be selected and found. {plot_divs} is for DVC, {library} for us.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>DVC plots</title>
<style>
body { margin: 2em; font: 14px sans-serif; display: flex; flex-wrap: wrap; gap: 2em; align-items: start; }
h1 { width: 100%; margin: 0; }
/* DVC frames pictures, and lets two revisions of one run out of the page to the right. */
div { border: 0 !important; text-align: start !important; white-space: normal !important; }
img { max-width: 100%; }
</style>
<script>{library}</script>
<script>
const embed = window.vegaEmbed;
window.vegaEmbed = (target, chart) => embed(target, chart, { renderer: "svg" });
</script>
</head>
<body>
<h1>DVC plots</h1>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    """Write the page, then point every DVC project to it."""
    write_page()
    for settings in (ROOT / ".dvc", ROOT / "own/.dvc", *sorted(ROOT.glob("studies/*/.dvc"))):
        point_to_page(settings.parent)


def write_page() -> None:
    """Write the page unless it is there as it should be."""
    package = resources.files("js_lib_vega_embed")
    library = package / "static" / "js_lib_vega_embed" / "vega-embed-full.js"
    content = TEMPLATE.replace("{library}", library.read_text("utf-8")).encode()
    if PAGE.exists() and PAGE.read_bytes() == content:
        return
    # At once, because dvc may be reading it.
    part = PAGE.with_suffix(".part")
    part.write_bytes(content)
    part.replace(PAGE)


def point_to_page(project: Path) -> None:
    """Set the option of one project, unless its user has set one; DVC reads it from the .dvc folder."""
    folder = project / ".dvc"
    settings = folder / "config.local"
    # Starting dvc takes longer than all the rest.
    if settings.exists() and OPTION in settings.read_text():
        return
    path = Path(os.path.relpath(PAGE, folder)).as_posix()
    command = [sys.executable, "-m", "dvc", "config", "--quiet", "--local", f"plots.{OPTION}", path]
    subprocess.run(command, cwd=project, check=True)


if __name__ == "__main__":
    main()
