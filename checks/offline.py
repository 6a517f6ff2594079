"""Make the page of `dvc plots` work offline: python -m checks.offline.

DVC's own page loads the chart library from the network. This script writes a page that contains the library,
and sets plots.html_template to it in the .dvc/config.local of every DVC project. Neither is committed: dvc
fails if the option is set and the page is missing.
"""

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".dvc" / "plots.html"
OPTION = "html_template"

# As SVG, the text of charts can be selected and searched. DVC fills in {plot_divs}, `write_page` {library}.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>DVC plots</title>
<style>
body { margin: 2em; font: 14px sans-serif; display: flex; flex-wrap: wrap; gap: 2em; align-items: start; }
h1 { width: 100%; margin: 0; }
/* DVC frames images, and two revisions of one would extend beyond the right edge of the page. */
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
    """Write the page, then let every DVC project use it."""
    write_page()
    for folder in (ROOT / ".dvc", *sorted(ROOT.glob("*/.dvc")), *sorted(ROOT.glob("studies/*/.dvc"))):
        use_page(folder)


def write_page() -> None:
    """Write the page unless it is there already."""
    package = resources.files("js_lib_vega_embed")
    library = package / "static" / "js_lib_vega_embed" / "vega-embed-full.js"
    content = TEMPLATE.replace("{library}", library.read_text("utf-8")).encode()
    if PAGE.exists() and PAGE.read_bytes() == content:
        return
    # Renamed into place, because dvc may be reading it.
    part = PAGE.with_suffix(".part")
    part.write_bytes(content)
    part.replace(PAGE)


def use_page(folder: Path) -> None:
    """Set the option in a project's .dvc folder, unless it is set; its path is relative to that folder."""
    settings = folder / "config.local"
    if settings.exists() and OPTION in settings.read_text():
        return
    path = Path(os.path.relpath(PAGE, folder)).as_posix()
    command = [sys.executable, "-m", "dvc", "config", "--quiet", "--local", f"plots.{OPTION}", path]
    subprocess.run(command, cwd=folder.parent, check=True)


if __name__ == "__main__":
    main()
