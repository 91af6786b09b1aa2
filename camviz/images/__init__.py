"""The way in for an image: files, bytes, arrays and PIL images, safely decoded to upright RGB."""

from .decoding import MAX_BYTES, MIN_SIDE, DecodedImage, ImageSource, decode, decode_image, digest
from .rgb import MAX_PIXELS

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedImage",
    "ImageSource",
    "decode",
    "decode_image",
    "digest",
]
