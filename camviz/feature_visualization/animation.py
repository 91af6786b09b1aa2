"""The growth of a picture as a film to take home."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import CamvizError

RGB = NDArray[np.uint8]

LENGTH, LAST = 3000, 1500  # milliseconds of the growth, and of the finished picture after it


def gif(frames: Sequence[RGB]) -> bytes:
    """Pictures (H, W, 3) as an endless animated GIF of some 4 seconds."""
    return _film(frames, "GIF")


def webp(frames: Sequence[RGB]) -> bytes:
    """Pictures (H, W, 3) as an endless animated WebP of some 4 seconds: all colors, and smaller than a GIF."""
    return _film(frames, "WEBP", quality=80, method=2)


def _film(frames: Sequence[RGB], kind: str, **options: int) -> bytes:
    if not frames:
        raise CamvizError("a film needs at least one picture")
    pictures = [Image.fromarray(frame) for frame in frames]
    durations = [LENGTH // len(pictures)] * (len(pictures) - 1) + [LAST]
    file = io.BytesIO()
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options)
    return file.getvalue()
