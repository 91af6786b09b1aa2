"""Blur integrated gradients (Xu et al., CVPR 2020)."""

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..registry import Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import input_gradient, usual_modes

STEP = 0.01  # of sigma, in the difference that stands for dx/dsigma
TRUNCATED = 4  # standard deviations at which a Gaussian ends
CPU: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}


@method(
    "Blur integrated gradients",
    family="gradient",
    paper="https://arxiv.org/abs/2004.03383",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}, as the image becomes sharp.",
    caution="It shows at which details the score rises, so flat regions get nothing, whatever they mean for the class.",
)
@usual_modes()
def blur_integrated_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[int, Range(1, 500), "Points on the path"] = 100,
    sigma: Annotated[float, Range(1, 100, 1), "Standard deviation of the strongest blur, in pixels"] = 50.0,
    spacing: Annotated[
        Literal["even", "square root"], "Blur at the points: equal steps of sigma, or the root of sigma * k / N"
    ] = "even",
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score, summed along a path from a blurred image to this one.

    map = -sum_k dS/dx( x[k] ) * dx/dsigma[k] * (sigma[k+1] - sigma[k]), signed, (B, 3, H, W)

    x[k]: the image blurred by a Gaussian of sigma[k], from 0 at k = 0 to the strongest at k = N. Gradients at smooth
    images depend on rounding: in float32 it changes the map by several percent, in float64 the map is that of the
    authors' package.

    Needs no baseline color: a blurred image has lost details and holds no new ones, so artifacts of an empty image are
    absent. Of a sharp image most of the score rises at small sigma, where the steps must be small.
    """
    x = x.detach()
    share = torch.arange(steps + 1, **CPU) / steps
    sigmas = (sigma * share if spacing == "even" else (sigma * share).sqrt()).tolist()
    result = torch.zeros_like(x)
    with many_passes(net, x, fusion="gradient") as passes:
        for number, image in enumerate(x):
            for part in batches(steps, passes.size_with_gradient, partial_progress(progress, number, len(x))):
                here = sigmas[part]
                points, slopes = map(torch.stack, zip(*(blurred_and_slope(image, one) for one in here), strict=True))
                lengths = x.new_tensor(sigmas[part.start + 1 : part.stop + 1]) - x.new_tensor(here)
                gradient = input_gradient(net, in_fastest_layout(points), score)
                result[number] -= (lengths[:, None, None, None] * gradient * slopes).sum(dim=0)
    return result


def blurred_and_slope(image: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Return an image (C, H, W) blurred by a Gaussian of that standard deviation, 0 outside of it, and dx/dsigma.

    The difference of two blurred images would be lost to rounding in float32, so it is that of the Gaussians in
    float64: D'xR' - DxR = (D' - D)xR' + Dx(R' - R).
    """
    now, then = ([gaussian_matrix(length, one) for length in image.shape[1:]] for one in (sigma, sigma + STEP))
    down, right = (one.to(image) for one in now)
    down_slope, right_slope = (((after - one) / STEP).to(image) for one, after in zip(now, then, strict=True))
    half = down @ image
    return half @ right, down_slope @ image @ then[1].to(image) + half @ right_slope


def gaussian_matrix(length: int, sigma: float) -> Tensor:
    """Return the blur of one side as a symmetric matrix (length, length)."""
    radius = int(TRUNCATED * sigma + 0.5)
    if not radius:
        return torch.eye(length, **CPU)
    places = torch.arange(length, **CPU)
    total = (-torch.arange(-radius, radius + 1, **CPU).square() / (2 * sigma**2)).exp().sum()
    distance = (places[:, None] - places).abs()
    return (-distance.square() / (2 * sigma**2)).exp().where(distance <= radius, 0) / total
