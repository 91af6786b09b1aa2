"""XRAI (Kapishnikov et al., ICCV 2019)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..perturbation.regions import densest_first, regions_of
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from .integrated_gradients import summed_gradients


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
    steps: Annotated[int, Range(1, 500), "Points on each of the two paths of integrated gradients"] = 100,
    scales: Annotated[int, Range(1, 6), "Divisions of the image into segments, each with larger ones"] = 6,
    progress: Progress | None = None,
) -> Tensor:
    """Regions of the image, ranked by the density of integrated gradients in them.

    map[b,i,j] = mean of max_k IG[b,k] over the pixels that were added together with i,j, (B, H, W)

    IG: integrated gradients by evenly spaced points, ends included; the mean of those from the lowest and from the
    highest value of x. Segments of several scales (Felzenszwalb & Huttenlocher, 2004), widened by 5 pixels, are added
    one by one, the one with the highest mean of IG first; pixels that are covered already do not count again. A tiny
    change of IG may change the order, and then the map changes as a whole.

    Easier to read than single pixels, and not bound to the cells of a layer.
    """
    x = x.detach()
    place = torch.linspace(0, 1, steps, dtype=x.dtype, device=x.device)[:, None, None, None]
    weight = torch.full_like(place, 1 / steps)
    maps = []
    with many_passes(net, x, fusion="gradient") as passes:
        for number, extreme in enumerate((torch.amin, torch.amax)):
            start = extreme(x, dim=(1, 2, 3), keepdim=True).expand_as(x)
            report = partial_progress(progress, number, 2)
            gradients = summed_gradients(net, x, score, start, place, weight, passes.size_with_gradient, report)
            maps.append((x - start) * gradients)
    attribution = torch.stack(maps).mean(dim=0).amax(dim=1)
    found = [
        densest_first(flat.cpu().double().numpy(), regions_of(image, scales))
        for flat, image in zip(attribution, x, strict=True)
    ]
    return torch.stack([torch.from_numpy(one) for one in found]).to(x)
