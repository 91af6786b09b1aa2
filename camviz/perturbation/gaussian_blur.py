"""Gaussian blur of batches of images."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad


def gaussian_blur(
    x: Tensor, deviation: float, radius: int, padding: Literal["replicate", "reflect", "none"] = "none"
) -> Tensor:
    """Return x (B, C, H, W) convolved with a Gaussian of this standard deviation in pixels.

    The kernel has 2 * radius + 1 weights per side, which sum to 1. Without padding the result loses `radius` pixels at
    each border.
    """
    steps = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    weights = (-(steps**2) / (2 * deviation**2)).exp()
    kernel = (weights / weights.sum()).expand(x.shape[1], 1, 1, -1)
    if padding != "none":
        x = pad(x, (radius,) * 4, mode=padding)
    return conv2d(conv2d(x, kernel, groups=x.shape[1]), kernel.mT, groups=x.shape[1])
