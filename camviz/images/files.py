"""Files of images: the reader of each format, and the largest values in files of 16 bits."""

import re
import struct
from importlib import import_module
from pathlib import Path

from PIL import Image, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ..errors import ImageError
from ..messages import Message

# Called directly: Image.open warns about images over 89 megapixels; only the whole process can disable the warning.
READERS: dict[bytes, type[ImageFile]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG": PngImageFile,
    b"RIFF": WebPImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"MM\0+": TiffImageFile,
}
EXPECTED = Message("expected a photograph in JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF")
# Suffixes of photographs. A file in another format than EXPECTED is reported with the reason, and not ignored.
# fmt: off
SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic",
    ".heif", ".hif", ".jp2", ".jxl", ".psd", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".ppm", ".pgm",
))
# fmt: on
_MAX_SAMPLE_VALUE, _BITS_PER_SAMPLE = 281, 258


def find_reader(data: bytes) -> type[ImageFile]:
    """Return the reader for a file's content, by its first bytes. Raises CamvizError if it is no image."""
    for magic, reader in READERS.items():
        if data.startswith(magic) and (data[8:12] == b"WEBP" if magic == b"RIFF" else magic != b"BM" or _is_bmp(data)):
            return reader
    if not data:
        raise ImageError("this file is empty; {expected}", expected=EXPECTED)
    if b"<svg" in data[:4096].lower():
        raise ImageError("SVG is a drawing, not a photograph; {expected}", expected=EXPECTED)
    if data.startswith(b"%PDF"):
        raise ImageError("PDF is a document, not a photograph; {expected}", expected=EXPECTED)
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis") or (brand in (b"mif1", b"msf1") and b"avif" in data[12:40]):
        if features.check("avif"):
            return AvifImageFile
        raise ImageError("AVIF images cannot be read by this Pillow: save this one as JPEG first")
    if brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"):
        return _heic_reader()
    raise ImageError("this file is not an image that can be read; {expected}", expected=EXPECTED)


def _heic_reader() -> type[ImageFile]:
    try:
        reader: type[ImageFile] = import_module("pillow_heif.as_plugin").HeifImageFile
    except ImportError as error:
        raise ImageError(
            "HEIC images cannot be read without pillow-heif: run pip install camviz[heic], or save this one as JPEG "
            "first; {expected}",
            expected=EXPECTED,
        ) from error
    return reader


def _is_bmp(data: bytes) -> bool:
    size, pixels = struct.unpack("<I4xI", data[2:14]) if len(data) >= 14 else (0, 0)
    return bool(size == 0 or 14 < pixels < size)  # some programs write 0 as the size of the file


def check_no_address(source: str | Path) -> None:
    """Raise CamvizError for the web address of an image."""
    if re.match(r"(https?|ftp|s3|gs|data|file):", str(source), re.IGNORECASE):
        raise ImageError(
            "'{source}' is an address, and CamViz reads only files: download the image, and give the path of the file",
            source=str(source)[:80],
        )


def usual_maxima(image: Image.Image) -> tuple[int, ...]:
    """Return the values that can be white in an image of 16 bits, in ascending order.

    A TIFF declares it in MaxSampleValue or BitsPerSample. Cameras and microscopes store values of 10 or 12 bits in 16.
    """
    if isinstance(image, TiffImageFile):
        largest = image.tag_v2.get(_MAX_SAMPLE_VALUE)
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))
        named = largest[0] if isinstance(largest, tuple) else largest
        if isinstance(named, int) and 255 < named <= 65535:
            return named, 65535
        if 8 < bits[0] < 16:
            return (2 ** bits[0] - 1,)
    return 1023, 4095, 65535
