"""Listen to a network's forward pass without touching it: the only file that knows torch's hooks and modes."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CamvizError
from ..runtime.tf32 import full_precision
from ..scores import Score
from .forward_pass import forward
from .hooks import listening, on_layer, require_reached
from .pass_counts import counts_in_force


def record(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation A of `layer` and the gradient dS/dA of the score, each (B, c, h, w).

    Nothing below the layer is differentiated. A layer that runs several times counts at its last.
    """
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        kept[:] = [output.detach().requires_grad_()]
        return kept[0].clone()  # what follows may overwrite its input

    with listening(on_layer(layer, keep)), torch.no_grad():  # up to the layer, where `keep` turns gradients on
        scores = score_of(score, forward(net, x))
    activation = require_reached(kept)
    return activation.detach(), gradient_of(scores, activation)


def activations(net: nn.Module, x: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation of `layer` (B, c, h, w) and the class scores (B, K), without gradients."""
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept[:] = [output]
        return output.clone()

    with listening(on_layer(layer, keep)), torch.no_grad():
        scores = forward(net, x)
    return require_reached(kept), scores


def input_gradient(net: nn.Module, x: Tensor, score: Score, layer: nn.Module | None = None) -> Tensor:
    """The gradient dS/dx, (B, 3, H, W). With a layer, S is a function of that layer's activation (B, c, h, w)."""
    x = x.detach().requires_grad_()
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept[:] = [output]
        return output.clone()

    with listening(None if layer is None else on_layer(layer, keep)), torch.enable_grad():
        scores = forward(net, x)
        explained = score_of(score, scores if layer is None else require_reached(kept))
    return gradient_of(explained, x)


def score_of(score: Score, scores: Tensor) -> Tensor:
    """`score` applied and checked: one number for each sample, (B,)."""
    explained = score(scores)
    if explained.shape != scores.shape[:1]:
        raise CamvizError(
            "a score must return one number for each sample, shape ({samples},); got {shape}",
            samples=len(scores),
            shape=tuple(explained.shape),
        )
    return explained


def gradient_of(scores: Tensor, source: Tensor) -> Tensor:
    """d(scores)/d(source) for every sample of the batch, of the shape of `source`."""
    gradient = None
    if scores.requires_grad:
        with full_precision(source.device):
            (gradient,) = torch.autograd.grad(scores, source, torch.ones_like(scores), allow_unused=True)
    if gradient is None:
        raise CamvizError("the score does not depend on this layer, so there is no gradient to show")
    if account := counts_in_force.get():
        account.backward_passes += len(scores)
    return gradient


def gradient_sums(net: nn.Module, x: Tensor, score: Score, layers: Iterable[nn.Module]) -> tuple[Tensor, ...]:
    """For each layer, what dS/d(its output) sums up to, (B,); zero where nothing comes by.

    A layer that runs several times counts at its last.
    """
    wanted = tuple(layers)
    arrived: dict[nn.Module, Tensor] = {}
    hooks: dict[nn.Module, Any] = {}

    def see(module: nn.Module, output: Any) -> None:
        def keep(gradient: Tensor) -> None:
            arrived[module] = gradient.flatten(1).sum(dim=1)

        if module in hooks:
            hooks[module].remove()
        if module in wanted and isinstance(output, Tensor):
            arrived[module] = output.new_zeros(len(output))
            if output.requires_grad:
                hooks[module] = output.register_hook(keep)  # type: ignore[no-untyped-call]  # on this pass alone

    x = x.detach().requires_grad_()
    with listening(see), torch.enable_grad():
        scores = score_of(score, forward(net, x))
    gradient_of(scores, x)
    for layer in wanted:
        require_reached([arrived[layer]] if layer in arrived else [])
    return tuple(arrived[layer] for layer in wanted)


def score_gradient(score: Score, scores: Tensor) -> Tensor:
    """How much the score grows with each class score: dS/d(scores), (B, K)."""
    with torch.enable_grad():
        scores = scores.detach().requires_grad_()
        explained = score_of(score, scores)
        if not explained.requires_grad:
            raise CamvizError("the score does not depend on the class scores, so there is nothing to explain")
        (slope,) = torch.autograd.grad(explained, scores, torch.ones_like(explained))
    return slope
