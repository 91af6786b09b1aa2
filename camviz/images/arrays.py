"""Images and views given as NumPy arrays or tensors."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import CamvizError, ImageError
from ..messages import Message

NOT_AN_IMAGE = Message(
    "an array must have the shape (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (3, H, W) and values of 0 to 255 (uint8), "
    "0 to 65535 (uint16) or 0 to 1 (floating point) to be an image; got {came}"
)


def from_array(source: Any) -> Image.Image:
    """Return the image of an array or a tensor; channels first or last, of one image or a batch of one.

    uint8 is 0 to 255, uint16 0 to 65535, other integers 0 to 255, floating point numbers and booleans 0 to 1. Raises
    CamvizError for anything else, such as a normalized input.
    """
    tensor = isinstance(source, Tensor)
    values: Any = source
    if isinstance(source, Tensor) and (source.is_meta or source.is_quantized or source.layout != torch.strided):
        raise ImageError(NOT_AN_IMAGE, came=f"{source.dtype}, {source.layout}, {source.device}")
    if isinstance(source, Tensor):
        plain = source.detach().cpu()
        values = (plain.float() if plain.is_floating_point() else plain).numpy()  # NumPy has no bfloat16
    came = f"shape {tuple(values.shape)}, {values.dtype}"
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[0] in (1, 3, 4) and (values.shape[2] not in (1, 3, 4) or tensor):
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)) or 0 in values.shape:
        raise ImageError(NOT_AN_IMAGE, came=came)
    return Image.fromarray(np.ascontiguousarray(_bytes(values, came)))


def _bytes(values: Any, came: str) -> Any:
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        raise ImageError(NOT_AN_IMAGE, came=came)
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ImageError("the image contains values that are not finite ({came}): replace them first", came=came)
    top = 1.0 if values.dtype.kind in "bf" else 65535.0 if values.dtype == np.uint16 else 255.0
    low, high = float(wide.min()), float(wide.max())
    if low < 0 or high > top:
        raise ImageError(
            "an image of {dtype} has values of 0 to {top:g}; got {low:.3g} to {high:.3g}: give the image itself, and "
            "not a normalized input",
            dtype=str(values.dtype),
            top=top,
            low=low,
            high=high,
        )
    return np.rint(wide * (255 / top)).astype(np.uint8)


def check_view(view: Any) -> NDArray[np.uint8]:
    """Return a view, RGB (H, W, 3) in uint8. Raises CamvizError for anything else."""
    found = view.detach().cpu().numpy() if isinstance(view, Tensor) else view
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.ndim != 3 or found.shape[2] != 3:
        came = f"shape {tuple(found.shape)}, {found.dtype}" if isinstance(found, np.ndarray) else type(view).__name__
        raise CamvizError(
            "a view is an array of shape (H, W, 3) with values of 0 to 255 (uint8), as model.view(image) returns it; "
            "got {came}",
            came=came,
        )
    if 0 in found.shape:
        raise CamvizError("the view has no pixels: its shape is {shape}", shape=found.shape)
    return found
