"""Read damaged files of every format: `python -m checks.fuzz` [--count N] [--seed N].

Each must give images or a UserError, within 1 GiB. Small real files are damaged at random and read in another
process. A file that crashes, hangs, takes more or raises another error is kept, and the exit code is 1. The
same seed makes the same files.
"""

import argparse
import gzip
import io
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from cae.core.errors import UserError
from cae.datasets.sources import open_source

# Seconds, other programs included, after which the process hangs or is dead.
PATIENCE = 60.0
MEMORY = 2**30
ALLOWED = ("images", "refused")


def make_samples() -> dict[str, bytes]:
    """Make small files of every format, by name, the same each time."""
    grey = np.arange(384, dtype=np.uint8).reshape(16, 24)
    deep = grey.astype(np.uint16) * 200
    colour = np.stack([grey, grey.T.reshape(16, 24), 255 - grey], axis=-1)
    idx = bytes.fromhex("00000803 00000001 00000010 00000018") + grey.tobytes()
    array = write_to_bytes(lambda file: np.save(file, np.stack([grey, grey])))
    volume = make_nifti(np.arange(210, dtype=np.int16).reshape(7, 6, 5))
    turned = Image.Exif()
    turned[274] = 6
    files = {
        "palette.png": make_image(colour, "PNG", "P"),
        "opaque.png": make_image(colour, "PNG", "RGBA", exif=turned),
        "grey.jpg": make_image(grey, "JPEG", exif=turned),
        "colour.jpg": make_image(colour, "JPEG", progressive=True),
        "grey.bmp": make_image(grey, "BMP"),
        "colour.bmp": make_image(colour, "BMP"),
        "raw.pgm": make_image(grey, "PPM"),
        "plain.pgm": b"P2\n# x\n3 2\n900\n0 1 2\n300 400 900\n",
        "pages.tif": make_image(grey, "TIFF", save_all=True, append_images=[Image.fromarray(deep)]),
        "float.tif": make_image(grey.astype(np.float32), "TIFF"),
        "jpeg.tif": make_image(colour, "TIFF", compression="jpeg"),
        "whole.npz": make_npz(array),
        "member.npz": array,
        "plain-idx3-ubyte": idx,
        "packed-idx3-ubyte.gz": gzip.compress(idx, mtime=0),
        "plain.dcm": make_dicom(deep, RescaleSlope="2", RescaleIntercept="-1024"),
        "frames.dcm": make_dicom(np.stack([deep, deep])),
        "packed.dcm": make_dicom(deep, packed=True),
        "plain.nii": volume,
        "inside.nii.gz": volume,
        "packed.nii.gz": gzip.compress(volume, mtime=0),
    }
    for name, pixels in (("grey", grey), ("deep", deep), ("colour", colour)):
        files[f"{name}.png"] = make_image(pixels, "PNG")
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            files[f"{compression}-{name}.tif"] = make_image(
                pixels, "TIFF", compression=compression, tiffinfo={274: 8}
            )
    return files


def pack(name: str, content: bytes) -> bytes:
    """Compress content that is damaged already, and recompute checksums that would find the damage."""
    if name == "member.npz":
        return make_npz(content)
    if name == "inside.nii.gz":
        return gzip.compress(content, mtime=0)
    return repair_checksums(content) if name.endswith(".png") else content


def write_to_bytes(write: Callable[[io.BytesIO], Any]) -> bytes:
    """Return the bytes that a function writes to a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def make_image(pixels: npt.NDArray[Any], kind: str, mode: str | None = None, **options: Any) -> bytes:
    """Write an image with Pillow."""
    image = Image.fromarray(pixels).convert(mode)
    return write_to_bytes(lambda file: image.save(file, kind, **options))


def make_npz(member: bytes) -> bytes:
    """Write a .npz of one array."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("train_images.npy"), member)
    return buffer.getvalue()


def make_dicom(pixels: npt.NDArray[Any], packed: bool = False, **tags: Any) -> bytes:
    """Write a DICOM file: grey (H, W), or several frames (N, H, W); a tag that is None is left out."""
    data, bits = Dataset(), 8 * pixels.dtype.itemsize
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values: dict[str, Any] = {
        **{"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "SOPInstanceUID": "1.2.3", "PatientID": "P1"},
        **{"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "SamplesPerPixel": 1},
        **{"PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": pixels.tobytes()},
        **{"Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "PhotometricInterpretation": "MONOCHROME2"},
        "NumberOfFrames": len(pixels) if pixels.ndim == 3 else None,
    }
    for tag, value in (values | tags).items():
        if value is not None:
            setattr(data, tag, value)
    if packed:
        data.compress(RLELossless, generate_instance_uid=False)
    return write_to_bytes(lambda file: data.save_as(file, enforce_file_format=True))


def make_nifti(volume: npt.NDArray[Any]) -> bytes:
    """Write a NIfTI file, not gzipped."""
    return bytes(nibabel.Nifti1Image(volume, np.eye(4)).to_bytes())


def repair_checksums(content: bytes) -> bytes:
    """Recompute the checksums of a PNG, as far as its chunks can be followed."""
    result, place = bytearray(content), 8
    while place + 12 <= len(result):
        end = place + 8 + int.from_bytes(result[place : place + 4], "big")
        if end + 4 <= len(result):
            result[end : end + 4] = zlib.crc32(result[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(result)


def damage(files: dict[str, bytes], seed: int, index: int) -> tuple[str, bytes]:
    """Return name and content of the damaged file `index`: one of `files` after 1 to 4 random changes."""
    draw = np.random.default_rng([seed, index])
    names = list(files)
    name = names[index % len(names)]
    content = bytearray(files[name])
    for _ in range(draw.integers(1, 5)):
        start, length = int(draw.integers(len(content) + 1)), int(draw.geometric(0.05))
        match draw.integers(5):
            case 0 | 1 if content:
                content[start % len(content)] ^= 1 << int(draw.integers(8))
            case 2:
                fill = (b"\0", b"\xff", b"\x7f", b"\x80")[draw.integers(4)]
                content[start : start + int(draw.integers(1, 9))] = fill * int(draw.integers(1, 9))
            case 3:
                other = files[names[draw.integers(len(names))]]
                place = int(draw.integers(len(other)))
                content[start : start + length] = other[place : place + length]
            case 4:
                del content[start : start + length if draw.integers(3) else None]
    return name, pack(name, bytes(content))


def read_within_limits(path: Path) -> str:
    """Read a file within the limit of memory; return how it ended, in a word."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        for _ in open_source(path):
            pass
    except UserError as error:
        return "memory" if isinstance(error.__cause__, MemoryError) else "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "images"


def warm_up(whole: Path) -> None:
    """Read undamaged files in a new process, so that all code is loaded before memory is limited."""
    # Decoders in C write to this process's error output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    for path in sorted(whole.iterdir()):
        read_within_limits(path)


def start_reader(whole: Path) -> Pool:
    """Start a process that reads files, in a fresh Python."""
    reader = multiprocessing.get_context("spawn").Pool(1, warm_up, (whole,))
    # The start does not count as time of the first file.
    reader.apply(os.getpid)
    return reader


def run(count: int, seed: int, out: Path) -> Counter[tuple[str, str]]:
    """Read `count` damaged files; count (format, outcome), and keep in `out` those with a bad outcome."""
    files, outcomes = make_samples(), Counter[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        whole.mkdir()
        for name, content in files.items():
            (whole / name).write_bytes(pack(name, content))
        reader = start_reader(whole)
        for index in range(count):
            name, content = damage(files, seed, index)
            (Path(scratch) / name).write_bytes(content)
            try:
                result = reader.apply_async(read_within_limits, (Path(scratch) / name,)).get(PATIENCE)
            except multiprocessing.TimeoutError:
                result = "crash"
                reader.terminate()
                reader = start_reader(whole)
            outcomes[name.rpartition(".")[2], result] += 1
            if result not in ALLOWED:
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{index}-{name}").write_bytes(content)
        reader.terminate()
    return outcomes


def main() -> int:
    """Read the files and print how they ended."""
    parser = argparse.ArgumentParser(prog="python -m checks.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="damaged files to read")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another one, other files")
    arguments = parser.parse_args()
    out = Path(tempfile.gettempdir()) / f"fuzz-{arguments.seed}"
    print(f"seed {arguments.seed}", flush=True)
    outcomes = run(arguments.count, arguments.seed, out)
    for (kind, result), times in sorted(outcomes.items()):
        print(f"{kind:20} {result:10} {times:6}")
    bad = sum(times for (_, result), times in outcomes.items() if result not in ALLOWED)
    print(f"{outcomes.total()} files read, {bad} with another outcome" + (f", kept in {out}" if bad else ""))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
