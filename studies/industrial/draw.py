"""Cut textures into images and draw defects onto some, in folders as of MVTec AD with two splits more."""

from collections import Counter
from functools import partial
from pathlib import Path

from cae.core.config import Section
from stages.runner.project import Project, Results
from studies.drawing import write_png
from studies.industrial import defects, textures
from studies.industrial.settings import Drawing
from studies.industrial.textures import GreyLevels


class Settings(Section):
    """What the stage reads of params.yaml."""

    drawing: Drawing


def draw(project: Project, settings: Settings) -> Results:
    """Return all images and masks."""
    images = draw_images(settings.drawing)
    for folder, count in Counter(str(Path(name).parent) for name in images).items():
        print(f"{folder} {count}")
    return {f"data/images/{name}": partial(write_png, pixels=image) for name, image in images.items()}


def draw_images(drawing: Drawing) -> dict[str, GreyLevels]:
    """Return every image and mask by its path below data/images."""
    texture, size, bands = textures.read(drawing.normal), drawing.size, drawing.bands
    good = {
        "train": textures.cut(texture, bands.train, size, drawing.stride),
        "validation": textures.cut(texture, bands.validation, size, size),
        "threshold": textures.cut(texture, bands.threshold, size, size),
        "test": textures.cut(texture, bands.test, size, size),
    }
    others = {
        name: textures.cut(textures.read(name), bands.test, size, size)
        for name in textures.TEXTURES
        if name != drawing.normal
    }
    images = {
        f"{split}/good/{name}.png": tile for split, tiles in good.items() for name, tile in tiles.items()
    }
    images |= {
        f"test/{kind}/{name}.png": tile for kind, tiles in others.items() for name, tile in tiles.items()
    }
    for kind in defects.KINDS:
        for index, (name, tile) in enumerate(good["test"].items()):
            defective = defects.draw_defect(tile, kind, drawing, index)
            images[f"test/{kind}/{name}.png"] = defective.tile
            images[f"ground_truth/{kind}/{name}_mask.png"] = defective.mask
    return images
