"""DeepSHAP (Lundberg & Lee, NeurIPS 2017): DeepLIFT averaged over references."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..acceleration.memory_layout import in_fastest_layout
from ..perturbation.references import RandomReference, random_references
from ..registry import Range, method
from ..relevance.differences import rescaled_gradient
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score


@method(
    "DeepSHAP",
    family="relevance",
    paper="https://arxiv.org/abs/1705.07874",
    pixels=True,
    reads="The highlighted pixels contribute most to the difference of {score} from that of random reference images.",
    caution="It approximates Shapley values layer by layer, which is exact for simple networks only. The paper draws "
    "references from the training images, which a model does not carry with it.",
)
def deep_shap(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    samples: Annotated[int, Range(1, 200), "Number of random references"] = 16,
    reference: Annotated[RandomReference, "Reference images: plain random colors, or noise"] = "plain colors",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the references: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Contribution of each pixel to the score's difference from random references: DeepLIFT, averaged over them.

    map = mean_n (x - x0[n]) * m[n], m[n]: the multipliers of DeepLIFT for the reference x0[n], signed, (B, 3, H, W)

    Its sum is S(x) - mean_n S(x0[n]). It depends on no single reference, whose color would get no contribution, and
    needs fewer passes than expected gradients.
    """
    x = x.detach()
    result = torch.zeros_like(x)
    with many_passes(net, x, fusion="nothing") as passes:
        for number, image in enumerate(x):
            for part in batches(samples, passes.size_with_gradient, partial_progress(progress, number, len(x))):
                start = random_references(seed, reference, range(samples)[part], image)
                points = in_fastest_layout(image.expand_as(start))
                multiplier = rescaled_gradient(net, points, score, lambda _, start=start: start)  # type: ignore[misc]
                result[number] += ((image - start) * multiplier).sum(dim=0)
    return result / samples
