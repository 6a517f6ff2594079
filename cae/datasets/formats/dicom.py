"""DICOM files, read with the optional package pydicom: grey or RGB, one frame or several.

Values are those of the modality, such as Hounsfield units: stored value × slope + intercept, float32; as
stored if that changes nothing. MONOCHROME1, which stores white as 0, is inverted: black is 0 everywhere.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cae.datasets.formats import FileFormat
from cae.datasets.intensity import apply_slope
from cae.datasets.safety import BoundedFile, UnsupportedError, check_size, import_extra
from cae.datasets.samples import Pixels, Sample, to_native_byte_order

META_GROUP = 2
DEFLATED = "1.2.840.10008.1.2.1.99"
ADVICE = "Save it uncompressed, for example with: gdcmconv --raw IN OUT"
# The first that is present is the group of a file.
GROUPS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
TAGS = (
    *GROUPS,
    *("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept"),
)
COLOURS = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def read(path: Path, name: str) -> Iterator[Sample]:
    """Read the frames of a file, (H, W) or (H, W, 3); group: the patient, or else the study or series.

    Raises:
        UnsupportedError: it holds no pixels, or they are too large or stored in an unsupported way.
        Exception: whatever pydicom raises for a damaged file.
    """
    with BoundedFile(path) as file:
        header = read_header(file)
        group = next((str(header.get(tag)) for tag in GROUPS if header.get(tag)), name)
        slope, intercept = (header.get(tag) for tag in ("RescaleSlope", "RescaleIntercept"))
        several = int(header.get("NumberOfFrames") or 1) > 1
        index = -1
        try:
            for index, stored in enumerate(import_extra("pydicom.pixels", "DICOM").iter_pixels(file)):
                pixels = set_black_to_zero(to_native_byte_order(stored), header)
                own_name = f"{name}#{index}" if several else name
                yield Sample(own_name, apply_slope(pixels, slope, intercept), group=group)
        except AttributeError as error:
            raise UnsupportedError(f"holds no pixels that can be read: {error}. Remove it.") from error
        if index < 0:
            raise UnsupportedError("holds no pixels. Remove it.")


def read_header(file: BoundedFile) -> Any:
    """Read what a file says about its pixels, a pydicom.Dataset, and check that they can be decoded."""
    reader = import_extra("pydicom.filereader", "DICOM")
    reader.read_preamble(file, force=False)
    meta = reader.read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != META_GROUP)
    check_transfer_syntax(meta.get("TransferSyntaxUID"))
    file.seek(0)
    header = reader.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS))
    check_header(header)
    return header


def check_transfer_syntax(syntax: Any) -> None:
    """Raise UnsupportedError unless pixels stored in this way can be decoded here."""
    if syntax is None or not str(syntax).strip():
        raise UnsupportedError(f"does not say how its pixels are stored (no transfer syntax). {ADVICE}")
    if syntax == DEFLATED:  # would be unpacked as a whole, however large
        raise UnsupportedError(f"is deflated as a whole, which is not supported. {ADVICE}")
    try:
        available = import_extra("pydicom.pixels", "DICOM").get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise UnsupportedError(
            f"stores its pixels as {syntax.name!r}, which cannot be decoded here. {ADVICE}"
        )


def check_header(header: Any) -> None:
    """Raise UnsupportedError unless the header describes images that are supported."""
    if not (header.get("Rows") and header.get("Columns")):
        raise UnsupportedError("holds no pixels: its header has no rows and columns. Remove it.")
    colours = header.get("PhotometricInterpretation")
    if colours not in COLOURS:
        raise UnsupportedError(
            f"has the colours {colours!r}: {', '.join(COLOURS)} are supported. Convert it."
        )
    itemsize = max(1, int(header.get("BitsAllocated") or 8) // 8)
    check_size(int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel") or 1), itemsize)


def set_black_to_zero(pixels: Pixels, header: Any) -> Pixels:
    """Invert MONOCHROME1, which stores white as 0: x → largest − x, or −1 − x for signed values."""
    if header.PhotometricInterpretation != "MONOCHROME1":
        return pixels
    if pixels.dtype.kind == "f":
        raise UnsupportedError("stores white as 0 in floats, whose largest value is unknown. Convert it.")
    largest = -1 if pixels.dtype.kind == "i" else 2 ** int(header.BitsStored) - 1
    return pixels.dtype.type(largest) - pixels


FORMAT = FileFormat(
    names=("DICOM",),
    magic=rb".{128}DICM",
    endings=r"\.(dcm|dicom)",
    read=read,
    kind="DICOM",
    calibrated=True,
    package="pydicom",
    # The first 128 bytes are free, and often those of a TIFF.
    priority=1,
)
