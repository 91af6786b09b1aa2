"""Sliding occlusion: the network's output while a gray square moves over the image (Zeiler & Fergus, ECCV 2014)."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..errors import LayerError
from ..runtime.batching import batches
from ..runtime.devices import fastest_format
from ..runtime.progress import Progress
from ..scores import logit, probabilities
from ..tape import activations, forward, score_of

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class OcclusionMaps:
    """The paper's maps, each (B, rows, columns): a cell is the value with the square centered on it."""

    probability: Tensor  # of the given class, 0 to 1: low where the square hides its evidence
    category: Tensor  # index of the most probable class
    strength: Tensor | None  # of the feature map: the sum of its activations
    feature_map: Tensor | None  # its index, (B,)


def occlusion_maps(
    net: nn.Module,
    x: Tensor,
    category: int,
    layer: nn.Module | None = None,
    feature_map: int | None = None,
    *,
    size: int = 32,
    stride: int = 16,
    progress: Progress | None = None,
) -> OcclusionMaps:
    """Return the probability of a class, the most probable class and a feature map's strength under a sliding square.

    x is (B, 3, H, W); the square has `size` pixels a side and moves by about `stride`. Without a layer there is no
    strength; without a feature map it is the layer's strongest for each image. Raises CamvizError for a class or a
    feature map that does not exist.
    """
    rows, columns = (window_spans(length, size, stride) for length in x.shape[2:])
    shape = (len(x), len(rows) * len(columns))
    probability, best = x.new_empty(shape), torch.empty(shape, dtype=torch.long, device=x.device)
    strength = which = None
    with torch.no_grad(), many_passes(net, x, fusion="weights" if layer is None else "nothing") as passes:
        if layer is None:
            scores = forward(net, x)
        else:
            activation, scores = activations(net, x, layer)
            strength, whole = x.new_empty(shape), activation.sum(dim=(2, 3))
            which = whole.argmax(dim=1) if feature_map is None else torch.full_like(whole[:, 0], feature_map).long()
            check_feature_map(feature_map, whole.shape[1])
        score_of(logit(category), scores)
        for number, part, points in hidden(x, rows, columns, passes.size, progress):
            if layer is None or strength is None or which is None:
                scores = forward(net, points)
            else:
                found, scores = activations(net, points, layer)
                strength[number, part] = found[:, which[number]].sum(dim=(1, 2))
            probability[number, part] = probabilities(scores)[:, category]
            best[number, part] = scores.argmax(dim=1)
    grid = (len(x), len(rows), len(columns))
    return OcclusionMaps(
        probability.view(grid), best.view(grid), None if strength is None else strength.view(grid), which
    )


def window_spans(length: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Return the first pixel and the one after the last of each position of a square, clipped to `length`.

    There are ceil(length / stride) positions, evenly spaced, each centered on its cell of the map.
    """
    count = ceil(length / stride)
    firsts = [floor((place + 0.5) * length / count - size / 2 + 0.5) for place in range(count)]
    return [(max(0, first), min(length, first + size)) for first in firsts]


def hidden(
    x: Tensor, rows: list[tuple[int, int]], columns: list[tuple[int, int]], size: int, progress: Progress | None
) -> Iterator[tuple[int, slice, Tensor]]:
    """Yield batches of occluded images: the image's index, the slice of positions, and the images (n, 3, H, W).

    Gray is 0, the mean color of the training images. Positions run row by row.
    """
    boxes = [(row, column) for row in rows for column in columns]
    for number, image in enumerate(x):
        for part in batches(len(boxes), size, partial_progress(progress, number, len(x))):
            here = boxes[part]
            layout = fastest_format(x.device, x.dtype)
            points = image.expand(len(here), -1, -1, -1).clone(memory_format=layout)
            for point, ((top, bottom), (left, right)) in zip(points, here, strict=True):
                point[:, top:bottom, left:right] = 0
            yield number, part, points


def check_feature_map(feature_map: int | None, count: int) -> None:
    """Raise CamvizError for a feature map that the layer does not have."""
    if feature_map is not None and not 0 <= feature_map < count:
        raise LayerError(
            "this layer has feature maps 0 to {last}; got feature map {feature_map}",
            last=count - 1,
            feature_map=feature_map,
        )
