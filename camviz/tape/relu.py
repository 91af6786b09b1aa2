"""Which torch calls are ReLUs or smooth activations, and their backward pass under a rule."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Rule = Callable[[Tensor, Tensor], Tensor]
Gate = tuple[float, float]

_GATES: dict[Any, Gate] = {
    **dict.fromkeys((F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), (0.0, float("inf"))),
    F.relu6: (0.0, 6.0),
}
_THRESHOLD_ = torch.threshold_  # of F.threshold(..., inplace=True)
MAXIMA = {torch.maximum, Tensor.maximum, torch.max, Tensor.max, torch.fmax, Tensor.fmax}
_CLAMPS = {
    *(F.hardtanh, F.hardtanh_, torch.clamp, torch.clamp_, torch.clip, torch.clip_, torch.clamp_min, torch.clamp_min_),
    *(Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_, Tensor.clamp_min, Tensor.clamp_min_),
}
SMOOTH = {
    *(F.silu, F.gelu, F.hardswish, F.mish, F.softplus, F.elu, F.elu_, F.selu, F.selu_, F.celu, F.celu_),
    *(F.leaky_relu, F.leaky_relu_, F.prelu, torch.prelu, Tensor.prelu, F.rrelu),
}


OUT_OF_PLACE: dict[Any, Any] = {
    F.relu_: F.relu,
    _THRESHOLD_: F.threshold,
    torch.relu_: torch.relu,
    Tensor.relu_: Tensor.relu,
    F.hardtanh_: F.hardtanh,
    torch.clamp_: torch.clamp,
    torch.clip_: torch.clip,
    torch.clamp_min_: torch.clamp_min,
    Tensor.clamp_: Tensor.clamp,
    Tensor.clip_: Tensor.clip,
    Tensor.clamp_min_: Tensor.clamp_min,
    F.elu_: F.elu,
    F.selu_: F.selu,
    F.celu_: F.celu,
    F.leaky_relu_: F.leaky_relu,
}


def gate_of(func: Any, args: Any, kwargs: Any) -> Gate | None:
    """Return the open interval in which a ReLU-like call is the identity; None for any other call."""
    if func in _GATES:
        return _GATES[func]
    if func in (F.threshold, _THRESHOLD_):
        _, threshold, value = (*args, *kwargs.values())[:3]
        return (0.0, float("inf")) if threshold == value == 0 else None
    if func in (F.leaky_relu, F.leaky_relu_):
        slope = args[1] if len(args) > 1 else kwargs.get("negative_slope", 0.01)
        return (0.0, float("inf")) if slope == 0 else None
    if func in MAXIMA:
        other = args[1] if len(args) > 1 else kwargs.get("other")
        return (0.0, float("inf")) if isinstance(other, Tensor) and is_zero(other) else None
    if func not in _CLAMPS:
        return None
    default = -1.0 if func in (F.hardtanh, F.hardtanh_) else None
    low = args[1] if len(args) > 1 else kwargs.get("min", kwargs.get("min_val", default))
    high = args[2] if len(args) > 2 else kwargs.get("max", kwargs.get("max_val", -default if default else None))
    if low is None or isinstance(high, Tensor) or not is_zero(low):
        return None
    return 0.0, float("inf") if high is None else float(high)


def is_zero(value: Any) -> bool:
    """Return whether a number, or every element of a tensor, is 0."""
    return not value.requires_grad and not bool(value.any()) if isinstance(value, Tensor) else value == 0


def apply_rule(func: Any, args: Any, kwargs: Any, gate: Gate | None, rule: Rule) -> Tensor:
    """Return the activation of a call, in place if the call is, with `rule(gradient, slope)` as its backward pass."""
    x, others, kwargs, in_place = call_arguments(func, args, kwargs)
    function = OUT_OF_PLACE.get(func, func)
    result: Tensor
    if in_place and gate and not x._is_view():
        result = _InPlaceRuleFunction.apply(x, gate, rule)
        return result
    result = _RuleFunction.apply(x, lambda value: function(value, *others, **kwargs), gate, rule)
    return x.copy_(result) if in_place else result


def call_arguments(func: Any, args: Any, kwargs: Any) -> tuple[Tensor, list[Any], dict[str, Any], bool]:
    """Return the input of an activation, its other arguments without `inplace`, and whether it runs in place."""
    in_place = func.__name__.endswith("_")
    names = _parameters(func) if getattr(func, "__module__", "") == F.__name__ else ()
    given = dict(zip(names, args, strict=False)) | kwargs if names else kwargs
    if names:
        in_place |= bool(given.pop("inplace", False))
        return given.pop("input"), [], given, in_place
    first = args[0] if args else given["input"]
    return first, list(args[1:]), {name: value for name, value in given.items() if name != "input"}, in_place


@cache
def _parameters(func: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(func).parameters)


class _RuleFunction(torch.autograd.Function):
    """An activation whose backward pass is a rule."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Callable[[Tensor], Tensor], gate: Any, rule: Rule) -> Tensor:
        if gate is None:
            with torch.enable_grad():
                source = x.detach().requires_grad_()
                result = function(source)
                (slope,) = torch.autograd.grad(result.sum(), source)
        else:
            result = function(x)
            slope = _slope(result, gate)
        ctx.rule = rule
        ctx.save_for_backward(slope)
        return result.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.rule(gradients[0], ctx.saved_tensors[0]), None, None, None


class _InPlaceRuleFunction(torch.autograd.Function):
    """A ReLU or ReLU6 in place whose backward pass is a rule; its slope follows from its result."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Gate, rule: Rule) -> Tensor:
        ctx.mark_dirty(x.clamp_(*gate))
        ctx.save_for_backward(x)
        ctx.gate, ctx.rule = gate, rule
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.rule(gradients[0], _slope(ctx.saved_tensors[0], ctx.gate)), None, None


def _slope(result: Tensor, gate: Gate) -> Tensor:
    """Return the derivative of a ReLU from its result: 1 where it was the identity, else 0."""
    slope: Tensor = torch.ops.aten.hardtanh_backward(result.new_ones(()).expand_as(result), result, *gate)
    return slope
