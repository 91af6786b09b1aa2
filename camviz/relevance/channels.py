"""The relevance of each channel of a layer, and the relevance through one channel (Achtibat et al., 2023)."""

import torch
from torch import Tensor, nn

from ..errors import LayerError
from ..scores import Score
from ..tape import changing_gradient, forward, gradient_of, record, score_of
from .propagation import propagating, relevance_of
from .rules import Composite


def channel_relevance(net: nn.Module, x: Tensor, score: Score, layer: nn.Module, composite: Composite) -> Tensor:
    """Return the relevance of each channel of a layer for a score, summed over its places: (B, c), signed."""
    with propagating(composite, to_layer=True):
        _, relevance = record(net, x, relevance_of(score), layer)
    return relevance.sum(dim=(2, 3))


def relevance_through(
    net: nn.Module, x: Tensor, score: Score, layer: nn.Module, channels: Tensor, composite: Composite
) -> Tensor:
    """Return the relevance of the pixels that passes through one channel of a layer for each image, (B, C, H, W).

    `channels` (B,) are indices. The sum over all channels of a layer that no path bypasses is the relevance of the
    pixels.
    """

    def only(relevance: Tensor) -> Tensor:
        kept = torch.zeros_like(relevance)
        images = torch.arange(len(kept), device=kept.device)
        kept[images, channels] = relevance[images, channels]
        return kept

    x = x.detach().requires_grad_()
    with propagating(composite), changing_gradient(layer, only), torch.enable_grad():
        return gradient_of(score_of(relevance_of(score), forward(net, x)), x)


def check_channel(channel: int, count: int) -> None:
    """Raise CamvizError for a channel that a layer of `count` channels does not have."""
    if not 0 <= channel < count:
        raise LayerError("this layer has channels 0 to {last}; got channel {channel}", last=count - 1, channel=channel)
