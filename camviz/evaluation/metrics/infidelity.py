"""Infidelity (Yeh et al., NeurIPS 2019)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ...acceleration.conv_bn_fusion import channels_last
from ...acceleration.many_passes import many_passes
from ...registry import Range
from ...runtime.batching import batches
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...scores import Score
from ...tape import forward, score_of
from ..pixel_ranking import check, plane
from ..registry import metric

Taken = Literal["squares", "noise"]
Reading = Literal["amount", "slope"]
Scaling = Literal["relative", "optimal", "none"]


@metric(
    "Infidelity",
    better="low",
    cost=60,
    paper="https://arxiv.org/abs/1901.09392",
    limitation="It asks a map to be a sum: one that ranks the places rightly but whose parts do not add up to the "
    "score is called unfaithful. A plain gradient is a slope, not an amount: in Python it has the setting "
    "reading='slope'.",
)
def infidelity(
    net: nn.Module,
    x: Tensor,
    score: Score,
    attribution: Tensor,
    *,
    samples: Annotated[int, Range(2, 1000), "How many changes of the picture are tried"] = 60,
    taken: Annotated[Taken, "What is taken away: squares of any size and place, or noise on every pixel"] = "squares",
    reading: Annotated[
        Reading, "The map gives what a place is worth (amount), or the score's reaction to a change (slope)"
    ] = "amount",
    scaling: Annotated[
        Scaling, "Relative: the share of the change that is not foretold; optimal, none: in the score's unit, squared"
    ] = "relative",
    seed: Annotated[int, Range(0, 2**31 - 1), "Which changes: the same seed gives the same number"] = 0,
    progress: Progress | None = None,
) -> float:
    """How badly the map foretells what the score does when something is taken away: 0 is good, 1 knows nothing.

    E[ (b * p - d)^2 ], d = S(x) - S(x - I), p = sum of map * I (slope) or of the map where I is (amount)

    b = E[p d] / E[p^2] makes any unit comparable ("relative" divides by E[d^2] too); "none" is b = 1, the paper's.
    x (1, 3, H, W); attribution (h, w) or (3, H, W), of which a map is worth as much in every channel.
    """
    size = (x.shape[-2], x.shape[-1])
    full = attribution if attribution.ndim == 3 else plane(attribution, size).expand(x.shape[1:])
    check(x, full[0])
    x = x.detach()
    change, where = changes(x[0], samples, taken, seed)
    foretold = (full * (change if reading == "slope" else where)).flatten(1).sum(dim=1).cpu().double()
    happened = foretold.new_empty(samples)
    with torch.no_grad(), many_passes(net, x) as passes:
        whole = score_of(score, forward(net, x)).cpu().double()
        for part in batches(samples, passes.size, progress):
            happened[part] = whole - score_of(score, forward(net, channels_last(x - change[part]))).cpu().double()
    if scaling != "none" and (power := float(foretold.square().mean())) > 0:
        foretold = foretold * ((foretold * happened).mean() / power)
    error, all_of_it = float((foretold - happened).square().mean()), float(happened.square().mean())
    return error if scaling != "relative" else error / all_of_it if all_of_it else 0.0


def changes(picture: Tensor, samples: int, taken: Taken, seed: int) -> tuple[Tensor, Tensor]:
    """What is taken away from the picture (C, H, W), and where, as 0 and 1; both (samples, C, H, W).

    Squares have a side from a sixteenth to a half of the shorter one and lie wholly inside; noise has the
    standard deviation 0.2.
    """
    rng = Rng(seed)
    shape = (samples, *picture.shape)
    if taken == "noise":
        noise = 0.2 * rng.normal(*shape, dtype=torch.float64).to(picture)
        return noise, torch.ones_like(noise)
    height, width = picture.shape[-2:]
    where = picture.new_zeros(shape)
    for square, (length, down, right) in zip(where, rng.uniform(samples, 3, dtype=torch.float64).tolist(), strict=True):
        side = max(1, round(min(height, width) * (1 / 16 + length * 7 / 16)))
        top, left = round(down * (height - side)), round(right * (width - side))
        square[:, top : top + side, left : left + side] = 1
    return where * picture, where
