"""Activations and gradients of a network, read during a forward pass without changing the network."""

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CamvizError, MethodError, NotFiniteError, ScoreError
from ..messages import Message
from ..runtime.tf32 import full_precision
from ..scores import Score
from .attention import written_out
from .forward_pass import forward
from .hooks import listening, on_layer, require_reached
from .kept_passes import PassRecorder, is_reusing, place_of
from .network.batches_of_one import isolated
from .network.calling_modes import usual_modes
from .network.errors import network_errors
from .network.not_finite import check_gradient, value_not_finite
from .network.quantized import NoGradientError
from .pass_counts import active_counts, add_note
from .rules import active_rules, intercepting


class NoSecondDerivativeError(MethodError):
    """An operation of the network has no second derivative."""


@isolated
def record(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the activation A of `layer` and the gradient dS/dA of the score, each (B, c, h, w).

    Nothing before the layer is differentiated. Of a layer that runs several times, the last run counts. Inside
    `reusing_passes`, a pass that was kept is not made again; the passes are counted as if it were.
    """
    activation, gradient = _recorded(net, x, score, layer, gradient_of)
    check_gradient(net, x, gradient, lambda x: score(forward(net, x)))
    return activation, gradient


def scores_through(net: nn.Module, x: Tensor, layer: nn.Module | None) -> Tensor:
    """Return the class scores (B, K) of the batch x; inside `reusing_passes`, keep the pass for maps at the layer."""
    if layer is not None and is_reusing():
        with suppress(CamvizError):  # a pass without gradients may succeed, or has the better error message
            return _scores_through(net, x, layer)
    with torch.no_grad():
        return forward(net, x)


@isolated
def _scores_through(net: nn.Module, x: Tensor, layer: nn.Module) -> Tensor:
    return _pass_through(net, x, layer)[1].detach()


def _pass_through(net: nn.Module, x: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the activation and the class scores like `_pass_from`, from a kept pass if there is one."""
    place = place_of(net, x, layer)
    if place is not None and (found := place.get()) is not None:
        _note_runs(found.runs)
        if counts := active_counts.get():
            counts.forward_passes += 1
        return found.scores()
    recorder = None if place is None else place.recorder()
    activation, scores = _pass_from(net, x, layer, torch.no_grad(), recorder)
    if recorder is not None and place is not None:
        place.put(recorder.kept(activation, scores))
    return activation, scores


@isolated
def record_curvature(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Return the activation A of `layer`, the gradient dS/dA, and d2S/dA2 times A, each (B, c, h, w)."""
    try:
        activation, both = _recorded(net, x, score, layer, _gradient_and_curvature)
    except NoSecondDerivativeError:
        with intercepting(written_out):
            activation, both = _recorded(net, x, score, layer, _gradient_and_curvature)
    gradient, curvature = both
    check_gradient(net, x, gradient, lambda x: score(forward(net, x)))
    return activation, gradient, curvature


def _recorded(
    net: nn.Module, x: Tensor, score: Score, layer: nn.Module, differentiate: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the activation of `layer` and `differentiate(score, activation)`."""

    def differentiated(activation: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            explained = score_of(score, scores)
        return activation.detach(), differentiate(explained, activation)

    try:
        return differentiated(*_pass_through(net, x, layer))
    except NoGradientError:  # the network's torch.no_grad() around the layer has restored the mode of before
        return differentiated(*_pass_from(net, x, layer, torch.enable_grad()))


def _pass_from(
    net: nn.Module,
    x: Tensor,
    layer: nn.Module,
    mode: AbstractContextManager[None],
    recorder: PassRecorder | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the activation of the layer and the class scores, which can be differentiated by it.

    `mode` is torch's mode before the layer; `recorder` records what follows.
    """
    kept: list[Tensor] = []
    runs = 0

    def keep(output: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        torch.set_grad_enabled(True)
        kept[:] = [output.detach().requires_grad_()]
        handed_on = kept[0].clone()  # the next call may overwrite it
        if recorder is not None:
            recorder.start(handed_on)
        return handed_on

    recording = nullcontext() if recorder is None else intercepting(recorder)
    with recording, listening(on_layer(layer, keep)), mode:  # until `keep` enables gradients at the layer
        scores = forward(net, x)
    activation = require_reached(kept)
    _note_runs(runs)
    return activation, scores


def _gradient_and_curvature(scores: Tensor, source: Tensor) -> Tensor:
    """Return the gradient of the scores, and their Hessian times the source, stacked."""
    gradient = gradient_of(scores, source, differentiable=True)
    curvature = None
    if gradient.requires_grad:  # False for linear scores
        try:
            (curvature,) = torch.autograd.grad(gradient, source, source.detach(), allow_unused=True)
        except RuntimeError as error:
            if (found := re.search(r"derivative for (\S+) is not implemented", str(error))) is None:
                raise
            raise NoSecondDerivativeError(
                "this method needs second derivatives, which torch does not have for {operation} of this network; "
                "use Grad-CAM",
                operation=found[1],
            ) from error
    return torch.stack([gradient.detach(), torch.zeros_like(source) if curvature is None else curvature]).detach()


@isolated
def activations(net: nn.Module, x: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the activation of `layer` (B, c, h, w) and the class scores (B, K), without gradients."""
    kept: list[Tensor] = []
    runs = 0

    def keep(output: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        kept[:] = [output.dequantize() if output.is_quantized else output]
        return output.clone()

    with listening(on_layer(layer, keep)), torch.no_grad():
        scores = forward(net, x)
    _note_runs(runs)
    return require_reached(kept), scores


def _note_runs(runs: int) -> None:
    if runs > 1:
        add_note(
            "The layer runs {runs} times in one forward pass. The map shows its last run, stretched over the image; if "
            "the layer runs on parts of the image, this is only the last part.",
            runs=runs,
        )


@isolated
def input_gradient(net: nn.Module, x: Tensor, score: Score, layer: nn.Module | None = None) -> Tensor:
    """Return the gradient dS/dx, (B, 3, H, W); with a layer, S is a function of its activation (B, c, h, w)."""
    x = x.detach().requires_grad_()
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept[:] = [output]
        return output.clone()

    with listening(None if layer is None else on_layer(layer, keep)), torch.enable_grad():
        scores = forward(net, x)
        explained = score_of(score, scores if layer is None else require_reached(kept))
    gradient = gradient_of(explained, x)
    if layer is None:
        check_gradient(net, x, gradient, lambda x: score(forward(net, x)))
    return gradient


def score_of(score: Score, scores: Tensor) -> Tensor:
    """Return the score of each sample, (B,); raise CamvizError if `score` returns another shape."""
    with network_errors(Message("explained score"), scores):
        explained = score(scores)
    if isinstance(explained, np.ndarray | np.generic | list | tuple | int | float) and not isinstance(explained, bool):
        with suppress(ValueError, TypeError, RuntimeError):
            explained = torch.as_tensor(explained, dtype=scores.dtype, device=scores.device)
    plain = isinstance(explained, Tensor) and not explained.is_quantized and explained.layout == torch.strided
    if plain and not explained.is_floating_point() and not explained.is_complex():
        explained = explained.to(scores.dtype)
    if plain and explained.numel() == len(scores) and explained.ndim <= 2:
        explained = explained.reshape(len(scores))
    if not isinstance(explained, Tensor) or explained.shape != scores.shape[:1]:
        came = tuple(explained.shape) if isinstance(explained, Tensor) else type(explained).__name__
        raise ScoreError(
            "a score must return one number for each sample, shape ({samples},); got {shape}",
            samples=len(scores),
            shape=came,
        )
    if scores.requires_grad and not explained.requires_grad and torch.is_grad_enabled():
        raise ScoreError(
            "the score's result does not depend on the class scores: compute it only with torch, without NumPy and "
            "detach(), or use a method without gradients, such as occlusion"
        )
    if value := value_not_finite(explained):
        raise NotFiniteError(
            "the explained score is {value}: check that the image and the function that computes the score are finite",
            value=value,
        )
    return explained


def gradient_of(scores: Tensor, source: Tensor, differentiable: bool = False) -> Tensor:
    """Return d(scores)/d(source) for every sample of the batch, in the shape of `source`."""
    gradient = None
    if scores.requires_grad:
        if rules := active_rules.get():
            rules.before_backward(scores)
        with full_precision(source.device):
            with network_errors(Message("backward pass of the network"), source):
                (gradient,) = torch.autograd.grad(
                    scores, source, torch.ones_like(scores), create_graph=differentiable, allow_unused=True
                )
    if gradient is None:
        raise NoGradientError("the score does not depend on this layer, so there is no gradient to show")
    if counts := active_counts.get():
        counts.backward_passes += len(scores)
    return gradient


@isolated
def gradient_sums(net: nn.Module, x: Tensor, score: Score, layers: Iterable[nn.Module]) -> tuple[Tensor, ...]:
    """Return for each layer the sum of dS/d(its output), (B,); zero if no gradient arrives.

    Of a layer that runs several times, the last run counts.
    """
    wanted = tuple(layers)
    sums: dict[nn.Module, Tensor] = {}
    hooks: dict[nn.Module, Any] = {}

    def see(module: nn.Module, output: Any) -> None:
        def keep(gradient: Tensor) -> None:
            sums[module] = gradient.flatten(1).sum(dim=1)

        if module in hooks:
            hooks[module].remove()
        if module in wanted and isinstance(output, Tensor):
            sums[module] = output.new_zeros(len(output))
            if output.requires_grad:
                hooks[module] = output.register_hook(keep)  # type: ignore[no-untyped-call]  # of this pass only

    x = x.detach().requires_grad_()
    with listening(see), torch.enable_grad():
        scores = score_of(score, forward(net, x))
    gradient_of(scores, x)
    for layer in wanted:
        require_reached([sums[layer]] if layer in sums else [])
    return tuple(sums[layer] for layer in wanted)


def score_gradient(score: Score, scores: Tensor) -> Tensor:
    """Return the gradient dS/d(scores) of the score with respect to the class scores, (B, K)."""
    with usual_modes(), torch.enable_grad():
        scores = (scores.clone() if scores.is_inference() else scores).detach().requires_grad_()
        explained = score_of(score, scores)
        if not explained.requires_grad:
            raise ScoreError("the score does not depend on the class scores, so there is nothing to explain")
        (slope,) = torch.autograd.grad(explained, scores, torch.ones_like(explained))
    return slope
