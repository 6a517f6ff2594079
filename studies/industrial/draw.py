"""Cut textures into pictures and draw defects onto some, laid out as MVTec AD with two parts more."""

import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from stages.inputs import Inputs

from cae.core import files
from studies.industrial import STUDY, defects, settings, textures
from studies.industrial.settings import Drawing
from studies.industrial.textures import Piece

PICTURES = STUDY / "data/pictures"


def main() -> None:
    """Read scikit-image's textures, write data/pictures."""
    inputs = Inputs.read("draw", STUDY)
    pictures = drawn(settings.load().drawing)
    inputs.check()
    write(PICTURES, pictures)
    for folder, count in Counter(Path(name).parent.as_posix() for name in pictures).items():
        print(f"{folder} {count}")


def drawn(drawing: Drawing) -> dict[str, Piece]:
    """Return every picture and mask by its path below data/pictures."""
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
    pictures = {f"{part}/good/{name}.png": piece for part, cut in good.items() for name, piece in cut.items()}
    pictures |= {
        f"test/{kind}/{name}.png": piece for kind, cut in others.items() for name, piece in cut.items()
    }
    for kind in defects.KINDS:
        for index, (name, piece) in enumerate(good["test"].items()):
            defective = defects.drawn(piece, kind, drawing, index)
            pictures[f"test/{kind}/{name}.png"] = defective.piece
            pictures[f"ground_truth/{kind}/{name}_mask.png"] = defective.mask
    return pictures


def write(folder: Path, pictures: Mapping[str, Piece]) -> None:
    """Write pictures into a folder that takes the place of an older one when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        whole = Path(scratch) / folder.name
        for name, picture in pictures.items():
            files.write_bytes(whole / name, png(picture))
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)


def png(picture: Piece) -> bytes:
    """Encode grey levels without compression, so that the bytes depend on no compression library."""
    with io.BytesIO() as buffer:
        Image.fromarray(picture).save(buffer, format="png", compress_level=0)
        return buffer.getvalue()
