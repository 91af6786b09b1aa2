"""Replace the masked pixels of a view."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CamvizError, choice
from ..evaluation.metrics.road import impute
from ..evaluation.perturbation_curve import blur
from ..images.arrays import check_view
from ..messages import Message
from ..runtime.rng import Rng
from .masks import RGB, Mask, enlarged

Fill = Literal["blur", "gray", "mean", "noise", "inpaint"]
GRAY = 128


def apply(view: Any, mask: Any, fill: Fill | NDArray[np.uint8] = "blur", *, seed: int = 0) -> RGB:
    """Return a copy of a view (H, W, 3) with the pixels of a mask replaced; all other pixels are unchanged.

    `mask`: True or 1 where the view is edited, (H, W) or coarser (see `enlarged`); `inverted(mask)` keeps the masked
    part. `fill`: "blur" = the view under a Gaussian with a standard deviation of 1/20 of the shorter side; "gray" =
    128; "mean" = the mean color of the view; "noise" = uniformly random colors by `seed`; "inpaint" = the smooth
    continuation of the surrounding pixels, each pixel being the weighted mean of its eight neighbors (a discrete
    Laplace equation, as ROAD imputes; Rong et al., ICML 2022); or another view of the same size, whose part is pasted.
    Raises CamvizError for invalid input.
    """
    pixels = check_view(view)
    hidden = enlarged(mask, pixels.shape[:2])
    replacement = _pasted(fill, pixels) if not isinstance(fill, str) else _filled(fill, pixels, hidden, seed)
    result: RGB = np.where(hidden[:, :, None], replacement, pixels)
    return result


def _pasted(fill: Any, pixels: RGB) -> RGB:
    other = check_view(fill)
    if other.shape != pixels.shape:
        raise CamvizError(
            "the view to paste from must have the size {size}; got {other}",
            size=pixels.shape[:2],
            other=other.shape[:2],
        )
    return other


def _filled(fill: Any, pixels: RGB, hidden: Mask, seed: int) -> RGB:
    name = choice(fill, get_args(Fill), Message("fill"))
    return FILLS[name](pixels, hidden, seed)


def _blurred(pixels: RGB, hidden: Mask, seed: int) -> RGB:
    planes = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    smooth = blur(planes, min(pixels.shape[:2]) / 20)[0].permute(1, 2, 0)
    return rounded(smooth.numpy())


def _gray(pixels: RGB, hidden: Mask, seed: int) -> RGB:
    return np.full_like(pixels, GRAY)


def _mean_color(pixels: RGB, hidden: Mask, seed: int) -> RGB:
    return np.broadcast_to(rounded(pixels.mean(axis=(0, 1))), pixels.shape)


def _noise(pixels: RGB, hidden: Mask, seed: int) -> RGB:
    drawn = Rng(seed).integers(0, 255, pixels.size).numpy().astype(np.uint8)
    return drawn.reshape(pixels.shape)


def _inpainted(pixels: RGB, hidden: Mask, seed: int) -> RGB:
    if not hidden.any():
        return pixels
    return rounded(impute(pixels.transpose(2, 0, 1).astype(np.float64), hidden).transpose(1, 2, 0))


def rounded(values: NDArray[np.floating[Any]]) -> RGB:
    """Return colors rounded to 8 bits."""
    colors: RGB = np.rint(values).clip(0, 255).astype(np.uint8)
    return colors


FILLS: dict[str, Callable[[RGB, Mask, int], RGB]] = {
    "blur": _blurred,
    "gray": _gray,
    "mean": _mean_color,
    "noise": _noise,
    "inpaint": _inpainted,
}
