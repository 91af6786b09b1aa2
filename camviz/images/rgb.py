"""The pixels of an image in any mode, as 8-bit RGB in sRGB."""

import io
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

MAX_PIXELS = 40_000_000
KEEP_SIDE = 1024  # an image is brought down only as far as its shorter side stays this long
STRIP_PIXELS = 2**18
UNREADABLE = (  # what Pillow's readers raise on damaged files
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError),
    *(AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
)


def factor(size: tuple[int, int]) -> int:
    """How many times the sides are to shrink."""
    return max(1, min(size) // KEEP_SIDE, math.ceil(math.sqrt(size[0] * size[1] / MAX_PIXELS)))


def strips(image: Image.Image, factor: int) -> Iterator[Image.Image]:
    """The image in bands of about a quarter of a megapixel, so that no step ever needs a second copy of the whole."""
    rows = factor * max(1, STRIP_PIXELS // (image.width * factor))
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB of at most 40 megapixels, in sRGB, transparency on white."""
    shrink = factor(image.size)
    interval = _interval(image)
    mode = "L" if interval or image.mode in ("1", "L", "LA") else "CMYK" if image.mode == "CMYK" else "RGB"
    to_srgb = _profile(image, mode)
    rgb = Image.new("RGB", (math.ceil(image.width / shrink), math.ceil(image.height / shrink)))
    top = 0
    for strip in strips(image, shrink):
        part = (_rescale(strip, *interval) if interval else _on_white(strip, mode)).reduce(shrink)
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
    except ImageCms.PyCMSError:  # damaged, or made for another kind of image
        return None


def _interval(image: Image.Image) -> tuple[float, float] | None:
    """The values that become black and white, for an image of more than 8 bits; None for the others."""
    if image.mode.startswith("I;16"):
        return 0, 65535
    if image.mode not in ("I", "F"):
        return None
    low, high = math.inf, -math.inf
    for strip in strips(image, 1):
        values = np.asarray(strip)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    usual = (65535,) if image.mode == "I" else (1, 255)
    return next(((0, top) for top in usual if low >= 0 and high <= top), (low, high))


def _rescale(strip: Image.Image, low: float, high: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(strip, dtype=np.float64), nan=low, posinf=high, neginf=low)
    gray = (values - low) * (255 / ((high - low) or 1))
    return Image.fromarray(np.rint(gray).astype(np.uint8))
