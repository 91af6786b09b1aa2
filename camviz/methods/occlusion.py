"""Occlusion (Zeiler & Fergus, ECCV 2014)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes
from ..errors import LayerError
from ..perturbation.occlusion import check_feature_map, hidden, window_spans
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score, probabilities
from ..tape import activations, forward, score_of


@method(
    "Occlusion",
    family="perturbation",
    paper="https://arxiv.org/abs/1311.2901",
    reads="Hiding the highlighted places lowers {score} most.",
    caution="It does not show how parts of the image work together, and finds only parts of about the size of "
    "the square. Images with hidden parts are unlike the training images.",
)
def occlusion(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module | None = None,
    *,
    size: Annotated[int, Range(1, 512), "Side of the gray square, in pixels"] = 32,
    stride: Annotated[int, Range(1, 512), "Step between two positions of the square, in pixels"] = 16,
    measure: Annotated[Literal["score", "class probability"], "Quantity that is measured at each position"] = "score",
    feature_map: Annotated[
        int | None, Range(0, 8191), "Measure the sum of this feature map of the layer instead"
    ] = None,
    progress: Progress | None = None,
) -> Tensor:
    """Places where hiding a part of the image under a gray square lowers the score.

    map[b,r,c] = S(x) - S(x with the square centered on cell r,c), signed, (B, rows, columns)

    S: the score, the class probability, or the sum of one feature map. Needs no gradient and is easy to interpret; but
    it finds only parts of about the square's size, and takes one forward pass for each position.
    """
    if feature_map is not None and layer is None:
        raise LayerError("a feature map belongs to a layer: choose the layer too")
    rows, columns = (window_spans(length, size, stride) for length in x.shape[2:])
    x = x.detach()
    result = x.new_empty(len(x), len(rows) * len(columns))

    def measured(scores: Tensor) -> Tensor:
        return score_of(score, scores if measure == "score" else probabilities(scores))

    def strength(points: Tensor, layer: nn.Module, feature_map: int) -> Tensor:
        activation, _ = activations(net, points, layer)
        check_feature_map(feature_map, activation.shape[1])
        return activation[:, feature_map].sum(dim=(1, 2))

    with torch.no_grad(), many_passes(net, x, fusion="weights" if feature_map is None else "nothing") as passes:
        whole = measured(forward(net, x))
        if layer is not None and feature_map is not None:
            whole = strength(x, layer, feature_map)
        for number, part, points in hidden(x, rows, columns, passes.size, progress):
            if layer is not None and feature_map is not None:
                left = strength(points, layer, feature_map)
            else:
                left = measured(forward(net, points))
            result[number, part] = whole[number] - left
    return result.view(len(x), len(rows), len(columns))
