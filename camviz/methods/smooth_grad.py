"""SmoothGrad (Smilkov et al., 2017) and its relatives SmoothGrad-squared and VarGrad, over any pixel method."""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.conv_bn_fusion import channels_last
from ..acceleration.many_passes import many_passes, partial_progress
from ..registry import METHODS, Choices, Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..scores import Score


def base_methods() -> list[str]:
    """Return the keys of the pixel methods that need no layer and average over nothing themselves, sorted."""
    found = (one for one in METHODS.values() if one.pixels and one.layer != "required" and "base" not in one.knobs)
    return sorted(one.key for one in found)


@method("SmoothGrad", family="gradient", paper="https://arxiv.org/abs/1706.03825", pixels=True)
def smooth_grad(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    base: Annotated[str, Choices(base_methods), "The method whose maps are averaged"] = "vanilla_backprop",
    statistic: Annotated[
        Literal["mean", "squared", "variance"],
        "The mean of the maps (SmoothGrad), of their squares (SmoothGrad-squared), or their variance (VarGrad)",
    ] = "mean",
    samples: Annotated[int, Range(1, 200), "How many noisy copies of the picture"] = 32,
    level: Annotated[float, Range(0, 1, 0.05), "Deviation of the noise, as a share of the picture's range"] = 0.15,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which noise: the same seed gives the same map"] = 0,
    extended: Annotated[bool, "Guided and deconvnet: also at SiLU, GELU and their kin, which no paper defines"] = False,
    progress: Progress | None = None,
) -> Tensor:
    """Any pixel method averaged over noisy copies of the picture, so that what is only noise in the map fades.

    mean: m = mean_n M(x + e[n]);  squared: mean_n M(x + e[n])^2;  variance: squared - m^2;  (B, 3, H, W)

    M: the base method; e[n]: normal noise of deviation level * (max x - min x). Clearer than a single gradient, but
    what it explains is the picture's noisy neighborhood; squares and variance have no sign.
    """
    x = x.detach()
    samples = samples if level else 1  # without noise all are alike
    chosen = METHODS[base]
    explain = partial(chosen.function, extended=extended) if "extended" in chosen.knobs else chosen.function
    maps = []
    with many_passes(net, x, fold="gradient") as passes:
        size = 1 if chosen.many_passes else passes.size_with_gradient
        for number, picture in enumerate(x):
            rng = Rng(seed)
            deviation = level * (picture.max() - picture.min())
            report, inner = partial_progress(progress, number, len(x)), None
            if chosen.many_passes:
                report, inner = None, report  # the base method reports each of its own passes
            first, total, squares = (torch.zeros_like(picture) for _ in range(3))
            for part in batches(samples, size, report):
                draws = range(samples)[part]
                noise = torch.stack([rng.normal(*picture.shape, dtype=x.dtype) for _ in draws])
                noisy = channels_last(picture + deviation * noise.to(x.device))
                if chosen.many_passes:
                    found = explain(net, noisy, score, progress=partial_progress(inner, part.start, samples))
                else:
                    found = explain(net, noisy, score)
                first = found[0] if part.start == 0 else first
                away = found - first  # mean of squares minus square of mean would drown in rounding without this
                total, squares = total + away.sum(dim=0), squares + away.square().sum(dim=0)
            mean = total / samples + first
            variance = (squares / samples - (total / samples).square()).clamp(min=0)
            maps.append({"mean": mean, "squared": variance + mean.square(), "variance": variance}[statistic])
    return torch.stack(maps)
