"""Curves of the score as the pixels of an image are replaced, the most important first."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.gaussian_blur import gaussian_blur
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import forward, score_of
from .pixel_ranking import check_shapes, pixel_ranks

Filler = Literal["blur", "mean"]


@dataclass(frozen=True)
class Curve:
    """The score at each share of replaced pixels; `float()` of it is the area under the curve."""

    fractions: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def area(self) -> float:
        """The area under the curve, by the trapezoidal rule."""
        points = zip(self.fractions, self.values, strict=True)
        return sum((b - a) * (u + v) / 2 for (a, u), (b, v) in pairwise(points))

    def __float__(self) -> float:
        return self.area


def perturbation_curve(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heatmap: Tensor,
    steps: int,
    filler: Filler,
    *,
    insert: bool,
    progress: Progress | None,
) -> Curve:
    """Return the score from the image to the filler image, or with `insert` from the filler image to the image.

    Pixels change in the order of `heatmap` (H, W), the largest value first; x is (1, 3, H, W). The score is evaluated
    at `steps` + 1 equal shares of the pixels, 0 and 1 included.
    """
    check_shapes(x, heatmap)
    x = x.detach()
    start, end = x, filler_image(x, filler)
    if insert:
        start, end = end, start
    counts = pixel_counts(heatmap, steps)
    replaced_at = replacement_steps(heatmap, steps)
    values: list[float] = []
    with torch.no_grad(), many_passes(net, x) as passes:
        for part in batches(len(counts), passes.size, progress):
            replaced = torch.stack([replaced_at <= step for step in range(len(counts))[part]])[:, None]
            values += score_of(score, forward(net, in_fastest_layout(torch.where(replaced, end, start)))).tolist()
    return Curve(tuple(count / heatmap.numel() for count in counts), tuple(values))


def pixel_counts(heatmap: Tensor, steps: int) -> list[int]:
    """Return how many pixels of a heatmap (H, W) are replaced after each step, from 0 to all of them."""
    return [round(heatmap.numel() * step / steps) for step in range(steps + 1)]


def replacement_steps(heatmap: Tensor, steps: int) -> Tensor:
    """Return the step, 1 to `steps`, at which each pixel of a heatmap (H, W) is replaced, the largest value first."""
    counts = torch.tensor(pixel_counts(heatmap, steps), device=heatmap.device)
    return torch.searchsorted(counts, pixel_ranks(heatmap), right=True).view(heatmap.shape)


def filler_image(x: Tensor, filler: Filler) -> Tensor:
    """Return the image that replaces removed pixels: strongly blurred, or the mean color of the training data.

    The blur is a Gaussian with a standard deviation of 1/20 of the shorter side, truncated at three deviations.
    """
    if filler == "mean":
        return torch.zeros_like(x)
    return blur(x, min(x.shape[-2:]) / 20)


def blur(x: Tensor, deviation: float) -> Tensor:
    """Return x (B, C, H, W) blurred by a Gaussian of this standard deviation in pixels, with replicated borders."""
    return gaussian_blur(x, deviation, max(1, round(3 * deviation)), "replicate")
