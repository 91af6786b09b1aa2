"""The structural similarity index of maps (Wang et al., 2004)."""

import torch
from torch import Tensor

from ..errors import MetricError
from ..perturbation.gaussian_blur import gaussian_blur

WINDOW, DEVIATION = 11, 1.5
SMALL = (0.01**2, 0.03**2)


def ssim(a: Tensor, b: Tensor) -> float:
    """Return the structural similarity of two maps (H, W) in 0..1: 1 for equal maps, about 0 for unrelated ones.

    mean of (2 m n + k) (2 cov + l) / ((m^2 + n^2 + k) (var_a + var_b + l)) over all Gaussian windows of 11 x 11
    pixels that lie inside, with the means m and n, k = 0.01^2 and l = 0.03^2.
    """
    if a.shape != b.shape or a.ndim != 2 or min(a.shape) < WINDOW:
        raise MetricError(
            "structural similarity needs two maps of one size, with at least {window} pixels per side; "
            "got {shape} and {other}",
            window=WINDOW,
            shape=tuple(a.shape),
            other=tuple(b.shape),
        )
    a, b = a.cpu().double(), b.cpu().double()
    maps = torch.stack([a, b, a * a, b * b, a * b])[:, None]
    mean_a, mean_b, square_a, square_b, product = gaussian_blur(maps, DEVIATION, WINDOW // 2)[:, 0]
    spread = square_a - mean_a**2 + square_b - mean_b**2
    alike = (2 * mean_a * mean_b + SMALL[0]) * (2 * (product - mean_a * mean_b) + SMALL[1])
    return float((alike / ((mean_a**2 + mean_b**2 + SMALL[0]) * (spread + SMALL[1]))).mean())
