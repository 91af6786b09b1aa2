"""The recorded steps of a method as far as they are shown, one dataclass for each kind of walkthrough."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

DRAWN = 6  # feature maps, masked images and points of a path that are kept
THUMBNAIL = 96  # pixels


class Walkthrough:
    """The recorded steps of one method, as a dataclass of CPU tensors, numbers and tuples of both."""

    @property
    def nbytes(self) -> int:
        """The memory that its tensors hold, in bytes."""
        return _nbytes(self)


@dataclass(frozen=True, eq=False)
class GradientWalkthrough(Walkthrough):
    """Vanilla backpropagation: the gradient, and a check of it by changing one value of one pixel."""

    result: Tensor  # (3, H, W)
    place: tuple[int, int, int]  # color, row and column of the largest magnitude
    change: float  # added to the value there, in units of the network's input
    predicted: float  # the change of the score that the gradient predicts
    real: float  # the change of the score in a second forward pass


@dataclass(frozen=True, eq=False)
class ReluStep:
    """The backward pass through one ReLU, at one channel: by default where the largest plain gradient passes."""

    number: int  # 0 is the ReLU nearest to the image
    channels: int
    channel: int
    gradient: Tensor  # (h, w), of the score with respect to the ReLU's output
    slope: Tensor  # (h, w), 1 where the ReLU passed its input on, 0 where it cut it off


@dataclass(frozen=True, eq=False)
class ReluWalkthrough(Walkthrough):
    """Guided backpropagation or the deconvnet: the map, and every ReLU to which the rule was applied."""

    result: Tensor  # (3, H, W)
    relus: tuple[ReluStep, ...]
    feature_map: int | None = None  # from which the deconvnet starts; None: from the score


@dataclass(frozen=True, eq=False)
class GradCamWalkthrough(Walkthrough):
    """Grad-CAM: the feature maps that contribute most, their gradients, and the weighted sums of more and more maps."""

    strongest: tuple[int, ...]  # by |weight * sum of the feature map|, the largest first, at most DRAWN
    activation: Tensor  # (len(strongest), h, w)
    gradient: Tensor  # (len(strongest), h, w)
    weight: Tensor  # (c,), the mean gradient of every feature map
    sums: Mapping[int, Tensor]  # count -> weighted sum (h, w) of so many maps in that order, before the ReLU
    result: Tensor  # (h, w)


@dataclass(frozen=True, eq=False)
class ScoreCamWalkthrough(Walkthrough):
    """Score-CAM: the score and weight of each non-constant feature map, and the best masked images."""

    strongest: tuple[int, ...]  # by weight, the largest first, at most DRAWN
    images: Tensor  # (len(strongest), 3, THUMBNAIL, THUMBNAIL), masked, in units of the network's input
    scores: Tensor  # (n,)
    weight: Tensor  # (n,), softmax of the scores
    total: Tensor  # (h, w), the weighted sum of the feature maps, before the ReLU
    result: Tensor  # (h, w)


@dataclass(frozen=True, eq=False)
class PathWalkthrough(Walkthrough):
    """Integrated gradients: points on the path from baseline to image, and what each adds to the map's sum."""

    place: Tensor  # (n,), 0 is the baseline, 1 the image
    added: Tensor  # (n,), what each point adds to the sum of the map
    rise: float  # S(x) - S(baseline), to which `added` should sum up
    shown: tuple[int, ...]  # the points of the next two fields, evenly spread, DRAWN of them
    images: Tensor  # (len(shown), 3, THUMBNAIL, THUMBNAIL)
    gradients: Tensor  # (len(shown), THUMBNAIL, THUMBNAIL), magnitude summed over the colors
    result: Tensor  # (3, H, W)


@dataclass(frozen=True, eq=False)
class ProductWalkthrough(Walkthrough):
    """Guided Grad-CAM: the map of guided backpropagation, the map of Grad-CAM, and their product."""

    lines: Tensor  # (3, H, W)
    region: Tensor  # (h, w)
    result: Tensor  # (3, H, W)


@dataclass(frozen=True, eq=False)
class RelevanceWalkthrough(Walkthrough):
    """Layer-wise relevance propagation: the score, the sum of the relevance at each layer, and the map."""

    score: float
    layers: tuple[str, ...]  # early to late
    relevance: tuple[float, ...]
    result: Tensor  # (3, H, W)


def _nbytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.untyped_storage().nbytes()
    if isinstance(value, Mapping):
        return sum(map(_nbytes, value.values()))
    if isinstance(value, tuple):
        return sum(map(_nbytes, value))
    return (
        sum(_nbytes(getattr(value, one.name)) for one in fields(value)) if hasattr(value, "__dataclass_fields__") else 0
    )
