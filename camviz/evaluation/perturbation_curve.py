"""How the score of a picture changes while its pixels are replaced, the hottest first."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ..acceleration.conv_bn_fusion import channels_last
from ..acceleration.many_passes import many_passes
from ..perturbation.gaussian_blur import gaussian_blur
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import forward, score_of
from .pixel_ranking import check, ranks

Filler = Literal["blur", "mean"]


@dataclass(frozen=True)
class Curve:
    """The score against the share of pixels replaced; `float()` of it is the area under it, from 0 to 1."""

    fractions: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def area(self) -> float:
        """The area under the curve, by trapezoids: the mean score on the way."""
        points = zip(self.fractions, self.values, strict=True)
        return sum((b - a) * (u + v) / 2 for (a, u), (b, v) in pairwise(points))

    def __float__(self) -> float:
        return self.area


def follow_curve(
    net: nn.Module,
    x: Tensor,
    score: Score,
    heat: Tensor,
    steps: int,
    filler: Filler,
    *,
    bring_back: bool,
    progress: Progress | None,
) -> Curve:
    """The curve from the picture to its filler, hottest pixels first; with `bring_back` from the filler to the picture.

    x is (1, 3, H, W), heat (H, W). The score is taken at `steps` + 1 equal shares of the pixels, 0 and 1 included.
    """
    check(x, heat)
    x = x.detach()
    start, end = x, fill_pixels(x, filler)
    if bring_back:
        start, end = end, start
    place = ranks(heat).view(heat.shape)
    counts = [round(heat.numel() * step / steps) for step in range(steps + 1)]
    values: list[float] = []
    with torch.no_grad(), many_passes(net, x) as passes:
        for part in batches(len(counts), passes.size, progress):
            replaced = torch.stack([place < count for count in counts[part]])[:, None]
            values += score_of(score, forward(net, channels_last(torch.where(replaced, end, start)))).tolist()
    return Curve(tuple(count / heat.numel() for count in counts), tuple(values))


def fill_pixels(x: Tensor, filler: Filler) -> Tensor:
    """What stands in for pixels that are gone: the picture strongly blurred, or the mean color of the training data.

    The blur is a Gaussian with a standard deviation of a twentieth of the shorter side, cut off at three of them.
    """
    if filler == "mean":
        return torch.zeros_like(x)
    return blur(x, min(x.shape[-2:]) / 20)


def blur(x: Tensor, deviation: float) -> Tensor:
    """Return x (B, C, H, W) under a Gaussian of that standard deviation in pixels, with replicated borders."""
    return gaussian_blur(x, deviation, max(1, round(3 * deviation)), "replicate")
