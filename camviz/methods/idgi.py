"""IDGI, important direction gradient integration (Yang et al., CVPR 2023)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.references import start_of_path
from ..registry import Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import input_gradient, score_of


@method(
    "IDGI",
    family="gradient",
    paper="https://arxiv.org/abs/2303.14242",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}. Changes of the image that do not change it are left out.",
    caution="Only the direction of the gradient counts, so the sign says whether the score rises along the whole path, "
    "not what a single pixel does. Another baseline gives another heatmap.",
)
def idgi(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[int, Range(1, 500), "Steps on the path from the baseline to the image"] = 32,
    baseline: Annotated[
        Literal["mean color", "darkest", "brightest"],
        "The empty image at the start: the mean color of the training images, or in each color channel the "
        "darkest or brightest value of this image (black or white, if it occurs in it)",
    ] = "mean color",
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score, along the direction in which the score changes.

    map = sum_k g[k]^2 / sum(g[k]^2) * ( S(p[k+1]) - S(p[k]) ), g[k] = dS/dx(p[k]), (B, 3, H, W)

    p[k]: points of the straight path of integrated gradients. Each step of the score is divided in proportion to the
    squared gradient, so the map's sum is exactly S(x) - S(x0).

    Removes the noise of directions in which the image changes and the score does not.
    """
    x = x.detach()
    start = start_of_path(net, x, baseline)
    place = torch.arange(steps + 1, dtype=x.dtype, device=x.device)[:, None, None, None] / steps
    result = torch.zeros_like(x)
    with many_passes(net, x, fusion="gradient") as passes:
        for number, (first, last) in enumerate(zip(start, x, strict=True)):
            before, weight = None, None  # the score at the end of the last batch, and the shares of its step
            for part in batches(steps + 1, passes.size_with_gradient, partial_progress(progress, number, len(x))):
                gradient, values = gradient_and_score(net, first + place[part] * (last - first), score)
                share = gradient.square()
                share /= share.sum(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
                if before is not None and weight is not None:
                    result[number] += weight * (values[0] - before)
                result[number] += (share[:-1] * values.diff()[:, None, None, None]).sum(dim=0)
                before, weight = values[-1], share[-1]
    return result


def gradient_and_score(net: nn.Module, points: Tensor, score: Score) -> tuple[Tensor, Tensor]:
    """Return dS/dx (n, C, H, W) and S (n,) at points of a path."""
    seen: dict[str, Tensor] = {}

    def kept(scores: Tensor) -> Tensor:
        explained = score_of(score, scores)
        seen["score"] = explained.detach()
        return explained

    gradient = input_gradient(net, in_fastest_layout(points), kept)
    return gradient, seen["score"]
