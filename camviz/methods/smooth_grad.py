"""SmoothGrad (Smilkov et al., 2017) and its relatives SmoothGrad-squared and VarGrad, over any pixel method."""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..registry import METHODS, Choices, Range, method
from ..runtime.batching import batches
from ..runtime.noise import normal_noise
from ..runtime.progress import Progress
from ..scores import Score


def base_methods() -> list[str]:
    """Return the keys of the pixel methods that need no layer and average over nothing themselves, sorted."""
    found = (one for one in METHODS.values() if one.pixels and one.layer != "required")
    return sorted(one.key for one in found if not {"base", "seed"} & one.knobs.keys())


@method(
    "SmoothGrad",
    family="gradient",
    paper="https://arxiv.org/abs/1706.03825",
    pixels=True,
    reads="{base} This is averaged over noisy copies of the image.",
    caution="{base} It explains noisy copies of the image, not the image alone: more noise gives a smoother and "
    "less exact heatmap.",
)
def smooth_grad(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    base: Annotated[str, Choices(base_methods), "Method whose maps are averaged"] = "vanilla_backprop",
    statistic: Annotated[
        Literal["mean", "squared", "variance"],
        "Mean of the maps (SmoothGrad), mean of their squares (SmoothGrad-squared), or variance (VarGrad)",
    ] = "mean",
    samples: Annotated[int, Range(1, 200), "Number of noisy copies of the image"] = 32,
    level: Annotated[
        float, Range(0, 1, 0.05), "Standard deviation of the noise, as a share of the image's range"
    ] = 0.15,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the noise: the same seed gives the same map"] = 0,
    extended: Annotated[
        bool, "Guided and deconvnet: apply the rule to SiLU, GELU and similar activations too, which no paper defines"
    ] = False,
    progress: Progress | None = None,
) -> Tensor:
    """The map of a pixel method, averaged over noisy copies of the image to suppress noise.

    mean: m = mean_n M(x + e[n]);  squared: mean_n M(x + e[n])^2;  variance: squared - m^2;  (B, 3, H, W)

    M: the base method; e[n]: normal noise of standard deviation level * (max x - min x). Less noisy than a single map,
    but it explains the image's noisy neighborhood. Squares and variance have no sign.
    """
    x = x.detach()
    samples = samples if level else 1  # without noise all copies are equal
    chosen = METHODS[base]
    explain = partial(chosen.function, extended=extended) if "extended" in chosen.knobs else chosen.function
    maps = []
    with many_passes(net, x, fusion="gradient") as passes:
        size = 1 if chosen.many_passes else passes.size_with_gradient
        for number, image in enumerate(x):
            deviation = level * (image.max() - image.min())
            report, inner = partial_progress(progress, number, len(x)), None
            if chosen.many_passes:
                report, inner = None, report  # the base method reports each of its own passes
            first, total, squares = (torch.zeros_like(image) for _ in range(3))
            for part in batches(samples, size, report):
                noise = normal_noise(seed, range(samples)[part], image.shape, x)
                noisy = in_fastest_layout(image + deviation * noise)
                if chosen.many_passes:
                    found = explain(net, noisy, score, progress=partial_progress(inner, part.start, samples))
                else:
                    found = explain(net, noisy, score)
                first = found[0] if part.start == 0 else first
                away = found - first  # differences keep the variance from being lost to rounding
                total, squares = total + away.sum(dim=0), squares + away.square().sum(dim=0)
            mean = total / samples + first
            variance = (squares / samples - (total / samples).square()).clamp(min=0)
            maps.append({"mean": mean, "squared": variance + mean.square(), "variance": variance}[statistic])
    return torch.stack(maps)
