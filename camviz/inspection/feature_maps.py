"""The feature maps of a layer: strength, weight and relevance for a class, and strongest activation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import CamvizError, unknown
from ..messages import Message
from ..relevance.channels import channel_relevance
from ..relevance.rules import Composite
from ..scores import Score
from ..tape import activations, record

Float = NDArray[np.float32]
SortOrder = Literal["strength", "weight", "relevance", "number"]


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The feature maps (c, h, w) of a layer for one image, and their weights (c,) for a score: the mean gradient.

    `relevances` (c,): their shares of the relevance for the score, if they are known.
    """

    maps: Float
    weights: Float
    relevances: Float | None = None

    @property
    def strengths(self) -> Float:
        """The strongest activation of each map, (c,)."""
        strongest: Float = self.maps.max(axis=(1, 2))
        return strongest

    def order(self, by: SortOrder) -> NDArray[np.intp]:
        """Return the indices of the maps by strength, weight or relevance (descending), or in the order of the layer.

        Of equally strong maps (a ReLU6 has a maximum of 6) the one with the larger mean comes first. Raises CamvizError
        for the order by relevance, if it is not known.
        """
        if by not in get_args(SortOrder):
            raise unknown(Message("order"), by, get_args(SortOrder), Message("the orders of feature maps"))
        if by == "number":
            return np.arange(len(self.maps))
        if by == "weight":
            return np.argsort(-self.weights, kind="stable")
        if by == "relevance":
            if self.relevances is None:
                raise CamvizError(
                    "the relevance of these feature maps is not known: set relevances to relevance_shares(...)"
                )
            return np.argsort(-self.relevances, kind="stable")
        return np.lexsort((-self.maps.mean(axis=(1, 2)), -self.strengths))


def feature_maps(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> FeatureMaps:
    """Return the feature maps of a layer for one image (1, 3, H, W), and their weights for the score.

    weight[c] = mean_hw dS/dA[c,h,w], the weight of a map in Grad-CAM (Selvaraju et al., ICCV 2017).
    """
    activation, gradient = record(net, x, score, layer)
    return FeatureMaps(_numpy(activation[0]), _numpy(gradient[0].mean(dim=(1, 2))))


def relevance_shares(net: nn.Module, x: Tensor, score: Score, layer: nn.Module, composite: Composite) -> Float:
    """Return each feature map's share of the relevance for a score at a layer, for one image (1, 3, H, W): (c,).

    share[c] = R[c] / sum_k |R[k]|, R[c]: the relevance of layer-wise relevance propagation, summed over the places of
    the map. A negative share is evidence against the score. Achtibat et al. (2023) rank the channels of a layer so.
    """
    relevance = channel_relevance(net, x, score, layer, composite)[0].double()
    total = relevance.abs().sum()
    return _numpy(relevance / total if total > 0 else relevance)


@dataclass(frozen=True, eq=False)
class Peaks:
    """For one image, the strongest activation of every feature map of a layer: value, row and column, each (c,)."""

    values: Float
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class TopActivation:
    """A strong activation of one feature map: the index of the image, the place in the map, and the value."""

    image: int
    row: int
    column: int
    value: float


def peaks(net: nn.Module, x: Tensor, layer: nn.Module) -> Peaks:
    """Return the strongest activation of each feature map of a layer, for one image (1, 3, H, W)."""
    maps = activations(net, x, layer)[0][0]
    values, places = maps.flatten(1).max(dim=1)
    places = places.cpu()
    return Peaks(_numpy(values), (places // maps.shape[2]).numpy(), (places % maps.shape[2]).numpy())


def top_activations(found: Sequence[Peaks], feature_map: int, count: int = 9) -> tuple[TopActivation, ...]:
    """Return the images that activate a feature map most, the strongest first, at most `count`, with the place.

    As in figure 2 of Zeiler and Fergus (ECCV 2014), an image counts once.
    """
    strongest = [
        TopActivation(number, int(one.rows[feature_map]), int(one.columns[feature_map]), float(one.values[feature_map]))
        for number, one in enumerate(found)
    ]
    return tuple(sorted(strongest, key=lambda one: -one.value)[:count])


def _numpy(values: Tensor) -> Float:
    return values.detach().to("cpu", torch.float32).numpy()
