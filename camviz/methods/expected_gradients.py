"""Expected gradients (Erion et al., 2019), also called GradientSHAP (Lundberg & Lee, NeurIPS 2017)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.references import RandomReference, random_references
from ..registry import Range, method
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..scores import Score
from ..tape import input_gradient


@method(
    "Expected gradients",
    family="gradient",
    paper="https://arxiv.org/abs/1906.10670",
    pixels=True,
    reads="The highlighted pixels contribute most to {score}, on average over random reference images.",
    caution="References and places on the paths are random, so details are noise unless another seed shows them too. "
    "The papers draw references from the training images, which a model does not carry with it.",
)
def expected_gradients(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    samples: Annotated[int, Range(1, 500), "Number of random references, each with one point on its path"] = 50,
    reference: Annotated[RandomReference, "Reference images: plain random colors, or noise"] = "plain colors",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of references and points: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score, averaged over paths from random reference images to this one.

    map = mean_n (x - x0[n]) * dS/dx( x0[n] + a[n] * (x - x0[n]) ), signed, (B, 3, H, W)

    x0[n]: a random reference; a[n]: uniform in 0 to 1. Its sum is S(x) minus the mean score of the references, up to
    the error of sampling.

    Unlike integrated gradients it depends on no single baseline, whose color would get no contribution.
    """
    x = x.detach()
    result = torch.zeros_like(x)
    with many_passes(net, x, fusion="gradient") as passes:
        for number, image in enumerate(x):
            places = Rng(seed + 1)
            for part in batches(samples, passes.size_with_gradient, partial_progress(progress, number, len(x))):
                draws = range(samples)[part]
                start = random_references(seed, reference, draws, image)
                place = torch.cat([places.uniform(1, dtype=torch.float64) for _ in draws]).to(x)
                points = in_fastest_layout(start + place[:, None, None, None] * (image - start))
                result[number] += ((image - start) * input_gradient(net, points, score)).sum(dim=0)
    return result / samples
