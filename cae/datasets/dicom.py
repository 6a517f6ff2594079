"""DICOM files, read with pydicom, an optional extra: grey or RGB, one frame or several.

Values are those of the modality, such as Hounsfield units: stored value × slope + intercept, float32; as
stored where these change nothing. MONOCHROME1, which shows 0 as white, is inverted: 0 is black everywhere.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cae.datasets.intensity import rescaled
from cae.datasets.safety import Clamped, RefusedError, check_size, extra
from cae.datasets.samples import Frame, Pixels, native

META_GROUP = 2
DEFLATED = "1.2.840.10008.1.2.1.99"
ADVICE = "Save it uncompressed, for example with: gdcmconv --raw IN OUT"
PATIENTS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
TAGS = (
    *PATIENTS,
    *("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
)
COLOURS = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def require() -> None:
    """Raise UserError unless pydicom is installed."""
    extra("pydicom", "DICOM")


def frames(path: Path) -> Iterator[Frame]:
    """Read the frames of a file, (H, W) or (H, W, 3); group: the patient, or else the study or series.

    Raises:
        RefusedError: it holds no pixels, or they are too large or stored in a way that is not read.
        Exception: whatever pydicom raises for a damaged file.
    """
    with Clamped(path) as file:
        yield from decoded(file, read_header(file))


def read_header(file: Clamped) -> Any:
    """Read what a file says about its pixels, a pydicom.Dataset, after a look at how they are stored."""
    reader = extra("pydicom.filereader", "DICOM")
    reader.read_preamble(file, force=False)
    meta = reader.read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != META_GROUP)
    check_syntax(meta.get("TransferSyntaxUID"))
    file.seek(0)
    header = reader.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))
    check_header(header)
    return header


def decoded(file: Clamped, header: Any) -> Iterator[Frame]:
    """Decode frame after frame."""
    group = next((str(header.get(tag)) for tag in PATIENTS if header.get(tag)), "")
    slope, intercept = (header.get(tag) for tag in ("RescaleSlope", "RescaleIntercept"))
    several = int(header.get("NumberOfFrames") or 1) > 1
    none = True
    try:
        for stored in extra("pydicom.pixels", "DICOM").iter_pixels(file):
            none = False
            yield Frame(rescaled(upright(native(stored), header), slope, intercept), group, several)
    except AttributeError as error:
        raise RefusedError(f"holds no pixels that can be read: {error}. Leave it out.") from error
    if none:
        raise RefusedError("holds no pixels. Leave it out.")


def check_syntax(syntax: Any) -> None:
    """Raise RefusedError unless pixels stored in this way can be decoded here."""
    if syntax is None or not str(syntax).strip():
        raise RefusedError(f"does not say how its pixels are stored (no transfer syntax). {ADVICE}")
    if syntax == DEFLATED:  # would be unpacked as a whole, however large
        raise RefusedError(f"is deflated as a whole, which is not read. {ADVICE}")
    try:
        available = extra("pydicom.pixels", "DICOM").get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise RefusedError(f"stores its pixels as {syntax.name!r}, which cannot be decoded here. {ADVICE}")


def check_header(header: Any) -> None:
    """Raise RefusedError unless a file announces pictures that are read."""
    if not (header.get("Rows") and header.get("Columns")):
        raise RefusedError("holds no pixels: it gives no rows and columns. Leave it out.")
    colours = header.get("PhotometricInterpretation")
    if colours not in COLOURS:
        raise RefusedError(f"has the colours {colours!r}: {', '.join(COLOURS)} are read. Convert it.")
    itemsize = max(1, int(header.get("BitsAllocated") or 8) // 8)
    check_size(int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel") or 1), itemsize)


def upright(pixels: Pixels, header: Any) -> Pixels:
    """Turn white-is-zero into black-is-zero: x → largest − x, or −1 − x where values have a sign."""
    if header.PhotometricInterpretation != "MONOCHROME1":
        return pixels
    if pixels.dtype.kind == "f":
        raise RefusedError("shows 0 as white in floats, whose largest value nobody knows. Convert it.")
    largest = -1 if pixels.dtype.kind == "i" else 2 ** int(header.BitsStored) - 1
    return pixels.dtype.type(largest) - pixels
