"""A mask of 56 x 56 cells as a short text for links, and as bits for the browser."""

import base64
import binascii
import re
import zlib
from typing import Any

import numpy as np

from ..errors import CamvizError
from .masks import GRID, Mask, check_mask

BYTES = GRID * GRID // 8
LONGEST = 560  # characters of the mask that compresses worst
RAW = -15  # deflate without header and checksum: a link has no room for them


def pack(mask: Any) -> str:
    """Return a mask (56, 56) as text: its bits row by row, deflated, in the URL-safe Base64 alphabet.

    A brush stroke takes 20 to 100 characters, a random mask 530. Raises CamvizError for another shape; `on_grid`
    reduces a mask of the view's size to 56 x 56.
    """
    chosen = check_mask(mask)
    if chosen.shape != (GRID, GRID):
        raise CamvizError(
            "only a mask of {cells} x {cells} cells fits into a link; got {shape}: use "
            "camviz.edits.on_grid(mask) first",
            cells=GRID,
            shape=chosen.shape,
        )
    return deflated(np.packbits(chosen).tobytes())


def unpack(text: str) -> Mask:
    """Return the mask (56, 56) of a text that `pack` wrote. Raises CamvizError for any other text."""
    bits = inflated(text, LONGEST, BYTES)
    if bits is None or len(bits) != BYTES:
        raise _damaged(text)
    return np.unpackbits(np.frombuffer(bits, np.uint8)).reshape(GRID, GRID).astype(np.bool_)


def deflated(data: bytes) -> str:
    """Return bytes as a short text for a link: deflated, in the URL-safe Base64 alphabet."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, RAW)
    return base64.urlsafe_b64encode(compressor.compress(data) + compressor.flush()).decode().rstrip("=")


def inflated(text: Any, longest: int, most: int) -> bytes | None:
    """Return the bytes of a text that `deflated` wrote; None for any other text.

    None too if the text has more than `longest` characters, or expands to more than `most` bytes.
    """
    if not isinstance(text, str) or not re.fullmatch(rf"[A-Za-z0-9_-]{{1,{longest}}}", text):
        return None
    decompressor = zlib.decompressobj(RAW)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = decompressor.decompress(data, most + 1)  # the limit stops a decompression bomb
    except (binascii.Error, zlib.error):
        return None
    return found if len(found) <= most and decompressor.eof and not decompressor.unused_data else None


def to_bits(mask: Mask) -> str:
    """Return a mask (56, 56) for the browser: its bits row by row, in Base64."""
    return base64.b64encode(np.packbits(mask).tobytes()).decode()


def from_bits(text: Any) -> Mask:
    """Return the mask (56, 56) that a browser has sent. Raises CamvizError for anything else."""
    try:
        bits = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        return np.unpackbits(bits).reshape(GRID, GRID).astype(np.bool_)
    except (TypeError, ValueError) as error:
        raise CamvizError(
            "a mask from the browser has {cells} x {cells} cells, one bit each, in Base64; got {given}",
            cells=GRID,
            given=repr(text)[:30],
        ) from error


def _damaged(text: Any) -> CamvizError:
    return CamvizError(
        "'{text}' is no mask of {cells} x {cells} cells: the link may have been cut off; draw the mask again",
        text=str(text)[:30],
        cells=GRID,
    )
