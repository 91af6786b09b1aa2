"""Decode images of any source to upright RGB images, within limits of size and memory. All images pass through here."""

import hashlib
import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from ..errors import CamvizError, ImageError
from ..messages import Message
from .arrays import from_array
from .files import check_no_address, find_reader, usual_maxima

MAX_BYTES = 20 * 2**20
MAX_PIXELS, MAX_JPEG_PIXELS, MAX_WEBP_PIXELS = 40_000_000, 100_000_000, 20_000_000
MIN_SIDE = 16
KEEP_SIDE = 1024  # least length of the shorter side of an image that is reduced
DECODER_BYTES = 350_000_000  # for the decoded pixels and the decoder itself; the whole computation stays below 400 MB
STRIP_PIXELS = 2**18

UNREADABLE = (  # the exceptions of Pillow's readers for damaged files
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError),
    *(AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
)


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A decoded image: its RGB pixels, their digest, and the name of its file."""

    pixels: Image.Image = field(repr=False)
    name: str = ""
    # The view of each model, by fit, as long as the model exists.
    views: WeakKeyDictionary[Any, dict[str, NDArray[np.uint8]]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    @cached_property
    def digest(self) -> str:
        """The sha256 of the pixels as hex; computed once."""
        return digest(self.pixels)


ImageSource = bytes | str | Path | IO[bytes] | Image.Image | NDArray[Any] | Tensor | DecodedImage


def decode_image(source: ImageSource, name: str = "") -> DecodedImage:
    """Decode an image once; return a DecodedImage unchanged.

    `name` is that of its file; it is taken from `source` if that is a path. Limits and errors are those of `decode`.
    """
    if isinstance(source, DecodedImage):
        return source
    return DecodedImage(decode(source), name or (Path(source).name if isinstance(source, str | Path) else ""))


def decode(source: ImageSource) -> Image.Image:
    """Return the image as a new RGB image: upright, in sRGB, transparency on white, the first frame of several.

    White in a gray image of 16 bits is the value that its file declares, or the smallest of 1023, 4095 and 65535 that
    no value exceeds. An image whose shorter side has 2048 pixels or more, or a JPEG over 40 megapixels, is reduced by a
    whole factor, its shorter side to at least 1024 pixels; other images keep their size. Raises CamvizError for a file
    that is no image, damaged, under 16 pixels on a side, over 20 MB, or over 40 megapixels (JPEG: 100, WebP, AVIF and
    HEIC: 20). Sizes are checked before decoding.
    """
    kind: str = Message("image")
    try:
        if isinstance(source, DecodedImage):
            return source.pixels.copy()
        if isinstance(source, np.ndarray | Tensor):
            source = from_array(source)
        if isinstance(source, Image.Image):
            image = source
            _check_size(image)
        else:
            data = _read(source)
            reader = find_reader(data)
            kind = str(reader.format)
            header = reader(io.BytesIO(data))
            _check_size(header)
            image = _load(header, data)
        rgb = _to_rgb(image)
        orientation = _orientation(image)  # read here, because Pillow rotates a TIFF while loading
        if image is not source:
            image.close()  # releases its pixels before the rotated copy is made
        rgb.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(rgb, in_place=True)
        return rgb
    except CamvizError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = MAX_PIXELS // 10**6
        raise ImageError("expected an image of at most {limit} megapixels; this one has more", limit=limit) from error
    except UNREADABLE as error:
        raise ImageError("this {kind} is truncated or damaged; expected a complete file", kind=kind) from error


def digest(image: Image.Image) -> str:
    """Return the sha256 of the image's mode, size and RGB pixels as hex. It identifies the image in cache keys."""
    sha = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    for strip in _strips(image if image.mode == "RGB" else _to_rgb(image), 1):
        sha.update(strip.tobytes())
    return sha.hexdigest()


def _read(source: bytes | str | Path | IO[bytes]) -> bytes:
    if isinstance(source, str | PathLike):
        check_no_address(source)
        try:
            with Path(source).open("rb") as file:
                return _read(file)
        except OSError as error:
            raise ImageError(
                "cannot read the image '{source}': {reason}", source=str(source), reason=str(error.strerror)
            ) from error
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        position = source.tell() if source.seekable() else None
        if position is not None:
            source.seek(0)
        data = source.read(MAX_BYTES + 1)
        if position is not None:
            source.seek(position)
    else:
        raise ImageError(
            "expected an image as a path, bytes, binary file, PIL image, array or tensor; got {kind}",
            kind=type(source).__name__,
        )
    if not isinstance(data, bytes):
        raise ImageError("expected a file opened in binary mode; got one opened in text mode: open it with 'rb'")
    if len(data) > MAX_BYTES:
        raise ImageError("expected a file of at most 20 MB; this one is larger")
    return data


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        sides: dict[str, Any] = {"least": MIN_SIDE, "width": width, "height": height}
        raise ImageError("expected at least {least} pixels on each side; this image has {width} x {height}", **sides)
    limits = {"JPEG": ("JPEG", MAX_JPEG_PIXELS), "MPO": ("JPEG", MAX_JPEG_PIXELS), "WEBP": ("WebP", MAX_WEBP_PIXELS)}
    limits |= {"AVIF": ("AVIF", MAX_WEBP_PIXELS), "HEIF": ("HEIC", MAX_WEBP_PIXELS)}
    name, limit = limits.get(image.format or "", (Message("image"), MAX_PIXELS))
    if width * height > limit:
        values: dict[str, Any] = {
            "name": name,
            "limit": limit // 10**6,
            "came": f"{width} x {height} = {width * height / 1e6:.1f}",
        }
        raise ImageError("expected at most {limit} megapixels; this {name} has {came}", **values)


def _load(image: ImageFile, data: bytes) -> Image.Image:
    """Decode an image of checked size within the memory allowed, a JPEG at reduced scale."""
    extra = 0.0
    if isinstance(image, JpegImageFile):
        extra = _coefficient_bytes(image, data)
        side = min(image.size) // _factor(image.size)
        image.draft(None, (side, side))
    elif isinstance(image, TiffImageFile):
        # libtiff unpacks one tile or strip at a time, and that may be the whole image.
        tags, base = image.tag_v2, ExifTags.Base
        rows = min(tags.get(base.RowsPerStrip, image.height), image.height)
        block = tags.get(base.TileWidth, image.width) * tags.get(base.TileLength, rows)
        extra = block * max(4, sum(tags.get(base.BitsPerSample, (1,))) / 8)
    elif image.format in ("WEBP", "AVIF", "HEIF"):
        extra = 12 * image.width * image.height
    if extra + 4 * image.width * image.height > DECODER_BYTES:
        raise ImageError(
            "decoding this {format} would need over 400 MB of memory; expected a smaller image", format=image.format
        )
    image.load()
    return image


def _coefficient_bytes(image: JpegImageFile, data: bytes) -> float:
    """Return the bytes that libjpeg needs for the coefficients of a JPEG in several scans: 2 for each, at any scale."""
    assert image.fp is not None
    scan_header = bytes([0, 6 + 2 * image.layers, image.layers])  # of a first scan that contains all channels
    if "progressive" not in image.info and data.startswith(scan_header, image.fp.tell() - scan_header[1]):
        return 0
    across, down = zip(*(layer[1:3] for layer in image.layer), strict=True)
    samples: float = sum(a * d for a, d in zip(across, down, strict=True)) / (max(across) * max(down))
    return 2 * image.width * image.height * samples


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except UNREADABLE:  # an image with damaged metadata is still accepted
        return 1


def _factor(size: tuple[int, int]) -> int:
    """Return the factor by which both sides are reduced, 1 or more."""
    return max(1, min(size) // KEEP_SIDE, math.ceil(math.sqrt(size[0] * size[1] / MAX_PIXELS)))


def _strips(image: Image.Image, factor: int) -> Iterator[Image.Image]:
    """Yield the image in strips of about a quarter of a megapixel, so that no step needs a second copy of the image."""
    rows = factor * max(1, STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _to_rgb(image: Image.Image) -> Image.Image:
    factor = _factor(image.size)
    interval = _interval(image)
    mode = "L" if interval or image.mode in ("1", "L", "LA") else "CMYK" if image.mode == "CMYK" else "RGB"
    to_srgb = _profile(image, mode)
    rgb = Image.new("RGB", (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    top = 0
    for strip in _strips(image, factor):
        part = (_rescale(strip, *interval) if interval else _on_white(strip, mode)).reduce(factor)
        rgb.paste(to_srgb.apply(part) if to_srgb else part.convert("RGB"), (0, top))
        top += part.height
    return rgb


def _on_white(strip: Image.Image, mode: str) -> Image.Image:
    if not strip.has_transparency_data:
        return strip.convert(mode)
    white = Image.new(mode, strip.size, "white")
    white.paste(strip.convert(mode), mask=strip.convert("RGBA").getchannel("A"))
    return white


def _profile(image: Image.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    if not image.info.get("icc_profile"):
        return None
    try:
        profile = io.BytesIO(image.info["icc_profile"])
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except ImageCms.PyCMSError:  # a damaged profile, or one for another kind of image
        return None


def _interval(image: Image.Image) -> tuple[float, float] | None:
    """Return the values that become black and white, for an image of more than 8 bits; None for the others."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    low, high = math.inf, -math.inf
    for strip in _strips(image, 1):
        values = np.asarray(strip)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    usual = (1, 255) if image.mode == "F" else usual_maxima(image)
    return next(((0, top) for top in usual if low >= 0 and high <= top), (low, high))


def _rescale(strip: Image.Image, low: float, high: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(strip, dtype=np.float64), nan=low, posinf=high, neginf=low)
    gray = (values - low) * (255 / ((high - low) or 1))
    return Image.fromarray(np.rint(gray).astype(np.uint8))
