"""Infidelity (Yeh et al., NeurIPS 2019)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ...acceleration.many_passes import many_passes
from ...acceleration.memory_layout import in_fastest_layout
from ...registry import Range
from ...runtime.batching import batches
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check_shapes, signed_map
from ..registry import metric

Perturbation = Literal["squares", "noise"]
Interpretation = Literal["contribution", "gradient"]
Normalization = Literal["relative", "optimal", "none"]


@metric(
    "Infidelity",
    better="low",
    cost=60,
    paper="https://arxiv.org/abs/1901.09392",
    limitation="It treats the map as a sum: a map that ranks the places correctly but does not add up to the score "
    "gets a poor value. A plain gradient is not a contribution: for it, Python has the setting "
    "interpretation='gradient'.",
)
def infidelity(
    net: nn.Module,
    x: Tensor,
    score: Score,
    attribution: Tensor,
    *,
    samples: Annotated[int, Range(2, 1000), "Number of random perturbations of the image"] = 60,
    perturbation: Annotated[
        Perturbation, "Removed content: squares of random size and place, or noise at every pixel"
    ] = "squares",
    interpretation: Annotated[
        Interpretation, "Values of the map: contributions to the score, or its derivatives (gradient)"
    ] = "contribution",
    normalization: Annotated[
        Normalization, "Relative: the share of the change that is not predicted; optimal, none: in squared score units"
    ] = "relative",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """How badly the map predicts the score's change when parts of the image are removed: 0 is perfect, 1 is useless.

    E[ (b * p - d)^2 ], d = S(x) - S(x - I), p = sum of map * I (gradient), or of map where I is not 0 (contribution)

    b = E[p d] / E[p^2] removes the unit of the map ("relative" also divides by E[d^2]); "none" is b = 1, as in the
    paper. x (1, 3, H, W); attribution (h, w), which counts in every channel, or (3, H, W).
    """
    size = (x.shape[-2], x.shape[-1])
    full = attribution if attribution.ndim == 3 else signed_map(attribution, size).expand(x.shape[1:])
    check_shapes(x, full[0])
    x = x.detach()
    removed, where = perturbations(x[0], samples, perturbation, seed)
    predicted = (full * (removed if interpretation == "gradient" else where)).flatten(1).sum(dim=1).cpu().double()
    actual = predicted.new_empty(samples)
    with torch.no_grad(), many_passes(net, x) as passes:
        whole = score_of(score, forward(net, x)).cpu().double()
        for part in batches(samples, passes.size, progress):
            actual[part] = whole - score_of(score, forward(net, in_fastest_layout(x - removed[part]))).cpu().double()
    if normalization != "none" and (power := float(predicted.square().mean())) > 0:
        predicted = predicted * ((predicted * actual).mean() / power)
    error, total = float((predicted - actual).square().mean()), float(actual.square().mean())
    return error if normalization != "relative" else error / total if total else 0.0


def perturbations(image: Tensor, samples: int, perturbation: Perturbation, seed: int) -> tuple[Tensor, Tensor]:
    """Return the content to subtract from the image (C, H, W), and its mask of 0 and 1; both (samples, C, H, W).

    Squares lie inside the image, with a side from 1/16 to 1/2 of its shorter side; noise has the standard
    deviation 0.2.
    """
    rng = Rng(seed)
    shape = (samples, *image.shape)
    if perturbation == "noise":
        noise = 0.2 * rng.normal(*shape, dtype=torch.float64).to(image)
        return noise, torch.ones_like(noise)
    height, width = image.shape[-2:]
    where = image.new_zeros(shape)
    for square, (length, down, right) in zip(where, rng.uniform(samples, 3, dtype=torch.float64).tolist(), strict=True):
        side = max(1, round(min(height, width) * (1 / 16 + length * 7 / 16)))
        top, left = round(down * (height - side)), round(right * (width - side))
        square[:, top : top + side, left : left + side] = 1
    return where * image, where
