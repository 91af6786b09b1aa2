"""Gradients by differences from a reference: the backward pass of DeepLIFT (Shrikumar et al., ICML 2017)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import MethodError
from ..scores import Score
from ..tape import add_note, forward, gradient_of, intercepting, isolated, score_gradient, score_of
from .steps import computed, constant, depends, ruled_step

SAME = 1e-10  # difference of inputs below which their multiplier is the gradient
LARGEST_GAP = 0.05  # share of the score's difference that the contributions may miss without a note
_nodes, _weights = np.polynomial.legendre.leggauss(8)
LINE = [((node + 1) / 2, weight / 2) for node, weight in zip(_nodes.tolist(), _weights.tolist(), strict=True)]


@isolated
def rescaled_gradient(net: nn.Module, x: Tensor, score: Score, reference: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the multipliers m (B, C, H, W) of the pixels: sum m * (x - x0) = S(x) - S(x0), with x0 = reference(x).

    Each nonlinear step passes back the ratio of differences between two passes, dy / dx, instead of its gradient. A
    step of single values, such as a ReLU as module, as function or in place, has the multiplier
    (f(x) - f(x0)) / (x - x0). Max-pooling divides its difference between the two maxima. Of any other step, such as a
    product of two branches, the gradient is averaged along the line from its inputs at x0 to those at x, which is
    exact for products. The first pass is that of x.
    """
    steps = _Steps()
    x = x.detach().requires_grad_()
    with torch.enable_grad(), intercepting(steps.record, every_step=True):
        scores = forward(net, x)
    whole = score_of(score, scores).detach()
    start = reference(x.detach())
    with torch.no_grad(), intercepting(steps.compare, every_step=True):
        empty = forward(net, start)
    steps.check_all_compared()
    change = scores.detach() - empty
    slope = torch.stack([weight * score_gradient(score, empty + place * change) for place, weight in LINE]).sum(dim=0)
    with torch.enable_grad():
        explained = (scores * slope).sum(dim=1)
    multiplier = gradient_of(explained, x)
    rise = whole - score_of(score, empty)
    missed = ((x.detach() - start) * multiplier).sum(dim=(1, 2, 3)) - rise
    gap = float((missed.abs() / rise.abs().clamp(min=torch.finfo(x.dtype).tiny)).max())
    if gap > LARGEST_GAP:
        add_note("The map's sum misses {gap:.0%} of the score's difference from the reference.", gap=gap)
    return multiplier


@dataclass
class _Step:
    """A nonlinear step: a function of the inputs that depend on the image, and these inputs in the reference's pass."""

    name: str
    run: Callable[..., Tensor]
    places: list[int]  # of these inputs among the arguments
    reference: list[Tensor] = field(default_factory=list)

    def back(self, gradient: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the value that the backward pass gives to each input."""
        if len(inputs) == 1 and self.name in _SINGLE_VALUES:
            return (gradient * self.ratio(inputs[0], self.reference[0]),)
        if self.name in _MAXIMA:
            return (self.two_maxima(inputs[0], self.reference[0], gradient),)
        found = [torch.zeros_like(one) for one in inputs]
        for place, weight in LINE:
            for total, part in zip(found, self.slopes(place, inputs, gradient), strict=True):
                total += weight * part
        return tuple(found)

    def slopes(self, place: float, inputs: tuple[Tensor, ...], gradient: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients at a place, 0 to 1, on the line from the reference's inputs to these."""
        with torch.enable_grad():
            points = [
                (start + place * (x - start)).requires_grad_() for x, start in zip(inputs, self.reference, strict=True)
            ]
            return torch.autograd.grad(self.run(*points), points, gradient)

    def ratio(self, x: Tensor, start: Tensor) -> Tensor:
        """Return (f(x) - f(x0)) / (x - x0), or f'(x) for equal inputs."""
        (slope,) = self.slopes(1, (x,), torch.ones_like(x))
        return slope.where((x - start).abs() < SAME, (self.run(x) - self.run(start)) / (x - start))

    def two_maxima(self, x: Tensor, start: Tensor, gradient: Tensor) -> Tensor:
        """Divide the difference f(x) - f(x0) between the place of the maximum in x and that in the reference."""
        value, before = self.run(x), self.run(start)
        larger = torch.maximum(value, before)
        (up,) = self.slopes(1, (x,), gradient * (larger - before))
        (down,) = self.slopes(0, (x,), gradient * (value - larger))
        (slope,) = self.slopes(1, (x,), gradient)
        return slope.where((x - start).abs() < SAME, (up + down) / (x - start))


class _Steps:
    """The nonlinear steps in the order of the pass, which must be the same for the image and the reference."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.steps: list[_Step | None] = []  # None for a step that is linear in the image
        self.compared = 0

    def record(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a step of the image's pass, with ratios of differences in its backward pass."""
        name = _name_of(func)
        if name not in _NONLINEAR:
            return func(*args, **kwargs)
        args, kwargs = _by_position(args, kwargs)
        places = [place for place, value in enumerate(args) if depends(value)]
        self.names.append(name)
        if not places or places == _LINEAR_AT.get(name) or (len(places) == 1 and name in _PRODUCTS):
            self.steps.append(None)
            return func(*args, **kwargs)
        value, in_place = computed(func, args, kwargs)
        kept = [one.detach().clone() if isinstance(one, Tensor) else one for one in args]  # before it is overwritten

        def run(*inputs: Tensor) -> Tensor:
            given = [*kept]
            for place, one in zip(places, inputs, strict=True):
                given[place] = one.clone() if in_place else one
            result: Tensor = func(*given, **kwargs)
            return result

        step = _Step(name, run, places)
        self.steps.append(step)
        result = ruled_step(value.detach(), step.back, [kept[place] for place in places], [args[p] for p in places])
        return args[0].copy_(result) if in_place else result

    def compare(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a step of the reference's pass, and record its inputs."""
        name = _name_of(func)
        if name not in _NONLINEAR:
            return func(*args, **kwargs)
        if self.names[self.compared : self.compared + 1] != [name]:
            raise _other_steps()
        step = self.steps[self.compared]
        self.compared += 1
        args, kwargs = _by_position(args, kwargs)
        if step is not None:
            step.reference = [args[place].clone() for place in step.places]
        return func(*args, **kwargs)

    def check_all_compared(self) -> None:
        """Raise CamvizError if the reference's pass had fewer steps."""
        if self.compared != len(self.steps):
            raise _other_steps()


def _other_steps() -> MethodError:
    return MethodError(
        "this network takes other steps for another image, so differences between two passes are not defined: use "
        "another method, such as integrated gradients"
    )


def _name_of(func: Any) -> str:
    return getattr(func, "__name__", "").strip("_")


def _by_position(args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call with its inputs by position, parameters without a gradient."""
    kwargs = {key: constant(value) for key, value in kwargs.items()}
    given = [constant(value) for value in args]
    given += [kwargs.pop(key) for key in ("input", "other")[len(given) :] if key in kwargs]
    return given, kwargs


def _words(text: str) -> set[str]:
    return set(text.split())


_SINGLE_VALUES = _words(
    """
    relu relu6 hardtanh clamp clip clamp_min clamp_max threshold leaky_relu prelu rrelu elu selu celu silu gelu mish
    softplus softsign hardswish hardsigmoid tanhshrink hardshrink softshrink logsigmoid sigmoid tanh abs absolute
    exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square pow erf reciprocal rdiv rtruediv sin cos atan
    maximum minimum fmax fmin
"""
)
_MAXIMA = _words("max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d amax")
_PRODUCTS = _words("mul rmul multiply matmul rmatmul mm bmm einsum")
_QUOTIENTS = _words("div divide true_divide truediv")
_OTHERS = _words(
    """
    softmax log_softmax layer_norm group_norm instance_norm rms_norm local_response_norm normalize norm vector_norm var
    std var_mean logsumexp prod scaled_dot_product_attention
"""
)
_NONLINEAR = _SINGLE_VALUES | _MAXIMA | _PRODUCTS | _QUOTIENTS | _OTHERS - {"var_mean"}
_LINEAR_AT = {name: [0] for name in _QUOTIENTS}
