"""FullGrad (Srinivas & Fleuret, NeurIPS 2019)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..registry import method
from ..scores import Score
from ..tape import add_note, bias_gradients


@method(
    "FullGrad",
    family="gradient",
    paper="https://arxiv.org/abs/1905.00780",
    reads="The highlighted pixels contribute most to {score}. The contributions of all biases at these places "
    "are included.",
    caution="Most biases contribute to every class, so the heatmap is hardly specific to this one.",
)
def full_grad(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    scale: Annotated[
        Literal["layer", "channel", "none"],
        "Magnitudes scaled to 0..1 by layer (as in the paper) or by channel, or signed terms that sum up to the score",
    ] = "layer",
) -> Tensor:
    """Contribution of the pixels and of every bias in the network to the score, added up in one map.

    map[b,i,j] = sum_k p( dS_b/dx * x )[k] + sum_l sum_c p( dS_b/dy[l] * bias[l] )[c], (B, H, W)

    y[l] is the output of layer l, bias[l] its bias (for batch norm beta - gamma mu / sigma); p takes the absolute
    value, scales it to 0..1 and upsamples it to the size of the image. In a ReLU network the terms sum to S.

    Combines all layers in one map; hardly specific to the class, because most biases are not.
    """
    gradient, biases, explained = bias_gradients(net, x, score)
    terms = [gradient * x.detach(), *biases]
    shares = torch.stack([term.reshape(len(x), -1).sum(dim=1) for term in terms]).sum(dim=0) / explained
    if (shares - 1).abs().max() > 0.01:
        add_note(
            "The terms sum up to {shares} of the score: not all is ReLU here.",
            shares=", ".join(f"{share:.0%}" for share in shares),
        )
    result = torch.zeros_like(x[:, :1])
    for term in terms:
        # Biases of linear layers after the pooling have no place in the image, nor have those of parts in a batch.
        if term.ndim == 4 and len(term) == len(x):
            place = spread if scale == "none" else enlarge
            result += place(scaled(term, scale).sum(dim=1, keepdim=True), x.shape[-2:])
    return result[:, 0]


def scaled(term: Tensor, scale: str) -> Tensor:
    """Return absolute values scaled to 0..1, (B, c, h, w), over each sample's layer or over each of its channels."""
    if scale == "none":
        return term
    sizes, over = term.abs(), (1, 2, 3) if scale == "layer" else (2, 3)
    low, high = sizes.amin(dim=over, keepdim=True), sizes.amax(dim=over, keepdim=True)
    return (sizes - low) / torch.where(high > low, high - low, 1)


def enlarge(term: Tensor, size: torch.Size) -> Tensor:
    """Upsample a term to the size of the image."""
    return interpolate(term, size, mode="bilinear")


def spread(term: Tensor, size: torch.Size) -> Tensor:
    """Upsample a term to the size of the image and keep its sum: each value is divided by its interpolation weight."""
    rows, columns = (
        interpolate(torch.eye(a, dtype=term.dtype, device=term.device)[None], b, mode="linear")[0].sum(dim=1)
        for a, b in zip(term.shape[2:], size, strict=True)
    )
    return enlarge(term / (rows[:, None] * columns), size)
