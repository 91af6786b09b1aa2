"""The optimization of an image as an animated GIF or WebP."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import CamvizError

RGB = NDArray[np.uint8]

LENGTH, LAST = 3000, 1500  # milliseconds of all frames, and of the last one


def gif(frames: Sequence[RGB]) -> bytes:
    """Return images (H, W, 3) as a looping GIF of about 4 seconds."""
    return _animation(frames, "GIF")


def webp(frames: Sequence[RGB]) -> bytes:
    """Return images (H, W, 3) as a looping WebP of about 4 seconds, in full color and smaller than a GIF."""
    return _animation(frames, "WEBP", quality=80, method=2)


def _animation(frames: Sequence[RGB], kind: str, **options: int) -> bytes:
    if not frames:
        raise CamvizError("an animation needs at least one frame")
    images = [Image.fromarray(frame) for frame in frames]
    durations = [LENGTH // len(images)] * (len(images) - 1) + [LAST]
    file = io.BytesIO()
    images[0].save(file, kind, save_all=True, append_images=images[1:], duration=durations, loop=0, **options)
    return file.getvalue()
