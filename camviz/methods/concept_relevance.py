"""Concept relevance propagation (Achtibat et al., 2023)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import Range, method
from ..relevance.channels import channel_relevance, check_channel, relevance_through
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import isolated
from .lrp import Rules, composites


@method(
    "Concept relevance propagation",
    family="relevance",
    paper="https://arxiv.org/abs/2206.03208",
    pixels=True,
    reads="The highlighted pixels contribute to {score} through one channel{where}: by default the most relevant one.",
    caution="What the channel stands for is not said: look at the images that activate it most. The rules of the "
    "propagation were chosen by hand.",
)
@isolated
def concept_relevance(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    channel: Annotated[int | None, Range(0, 8191), "Channel of the layer; none: the one with most relevance"] = None,
    composite: Annotated[Rules, "Rules for the layers, by their depth"] = "epsilon-plus-flat",
) -> Tensor:
    """Share of each pixel in the score, as far as it passes through one channel of a layer.

    map = R( x | relevance at the layer := relevance * [ channel = k ] ), signed, (B, 3, H, W)

    R: layer-wise relevance propagation. Without a channel, k = argmax_c sum_hw R[b,c,h,w] at the layer. Summed over all
    channels of a layer that every path passes, the maps are that of relevance propagation.

    Answers where one feature (fur, a wheel) was used for this class, where other maps mix all features.
    """
    rules = composites()[composite]
    shares = channel_relevance(net, x, score, layer, rules)
    chosen = shares.argmax(dim=1)
    if channel is not None:
        check_channel(channel, shares.shape[1])
        chosen = chosen * 0 + channel
    record_step(shares=shares, chosen=chosen)
    return relevance_through(net, x, score, layer, chosen, rules)
