"""Deep feature factorization (Collins et al., ECCV 2018)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from ..errors import MethodError
from ..inspection.factorization import factorized
from ..registry import Range, method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import record


@method(
    "Deep feature factorization",
    family="cam",
    paper="https://arxiv.org/abs/1806.10206",
    reads="The highlighted region is one part of the image for the model{where}: of all parts, the one that "
    "contributes most to {score}.",
    caution="The parts come from this image alone, and their number is chosen by hand. What the parts do together is "
    "not shown.",
)
def deep_feature_factorization(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    components: Annotated[int, Range(1, 16), "Number of parts into which the feature maps are divided"] = 5,
    component: Annotated[
        int | None, Range(0, 15), "Part to show, by decreasing contribution to the score; none: the first one"
    ] = None,
) -> Tensor:
    """One of the parts into which the feature maps divide the image: the one that raises the score most.

    A[c,p] - min_p A[c,p] = sum_k W[c,k] * H[k,p] + rest, W, H >= 0;  map[p] = H[k,p] of one part k, (B, h, w)

    W, H: non-negative matrix factorization of channels by places p. Parts are sorted by their contribution
    sum_cp dS/dA[c,p] * W[c,k] * H[k,p].

    Shows what the layer treats as one thing (an ear, the background), which other maps mix. Takes one pass.
    """
    chosen = component or 0
    if chosen >= components:
        raise MethodError(
            "component {component} does not exist: with {components} components they are 0 to {last}",
            component=component,
            components=components,
            last=components - 1,
        )
    activation, gradient = record(net, x, score, layer)
    maps = []
    for image, slope in zip(activation.flatten(2), gradient.flatten(2), strict=True):
        shifted = image.double() - image.double().amin(dim=1, keepdim=True)
        factors, places = factorized(shifted, components)
        contribution = ((slope.double().T @ factors) * places.T).sum(dim=0)
        order = contribution.argsort(descending=True)
        record_step(factors=factors, places=places, contribution=contribution)
        maps.append(places[order[min(chosen, len(order) - 1)]])
    return torch.stack(maps).view(activation[:, 0].shape).to(x.dtype)
