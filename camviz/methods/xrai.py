"""XRAI (Kapishnikov et al., ICCV 2019)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import partial_progress
from ..perturbation.regions import densest_first, least_pixels, regions_of
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from .integrated_gradients import integrated_gradients


@method(
    "XRAI",
    family="gradient",
    paper="https://arxiv.org/abs/1906.02825",
    reads="The highlighted regions contribute most to {score} for their size. The contributions are relative to a dark "
    "and a bright image.",
    caution="The regions come from the colors of the image, not from the model: a region that is half evidence is "
    "colored as a whole.",
)
def xrai(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    steps: Annotated[int, Range(1, 500), "Points on each of the two paths of integrated gradients"] = 32,
    scales: Annotated[int, Range(1, 6), "Divisions of the image into segments, each with larger ones"] = 6,
    progress: Progress | None = None,
) -> Tensor:
    """Regions of the image, ranked by the density of integrated gradients in them.

    map[b,i,j] = mean of max_k IG[b,k] over the pixels that were added together with i,j, (B, H, W)

    IG: the mean of integrated gradients from the darkest and from the brightest color of the image. Segments of
    several scales (Felzenszwalb & Huttenlocher, 2004), widened by a few pixels, are added one by one, the one with the
    highest mean of IG first; pixels that are covered already do not count again.

    Easier to read than single pixels, and not bound to the cells of a layer.
    """
    ends: tuple[Literal["darkest", "brightest"], ...] = ("darkest", "brightest")
    maps = [
        integrated_gradients(
            net, x, score, steps=steps, baseline=baseline, progress=partial_progress(progress, number, 2)
        )
        for number, baseline in enumerate(ends)
    ]
    attribution = torch.stack(maps).mean(dim=0).amax(dim=1)
    found = [
        densest_first(flat.cpu().double().numpy(), regions_of(image, scales), least_pixels(image.shape[1:]))
        for flat, image in zip(attribution, x, strict=True)
    ]
    return torch.stack([torch.from_numpy(one) for one in found]).to(x)
