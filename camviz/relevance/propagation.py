"""Relevance carried backward by autograd: what each torch call of a network becomes under a composite of rules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..scores import Score
from ..tape import add_note, gradient_sums, intercepting, norm_arguments, scale_and_shift, score_gradient
from .rules import Composite, Op, RelevanceRule, redistribute, stabilized

_Back = Callable[..., tuple[Tensor, ...]]


@contextmanager
def propagating(composite: Composite) -> Iterator[None]:
    """Within it, what autograd carries backward is relevance. A batch norm counts as part of the layer before it."""
    propagation = _Propagation(composite)
    with intercepting(propagation, every_step=True):
        yield
    if propagation.unruled:
        add_note(
            "Relevance has no rule for {operations}, which passed on the plain gradient: the map need "
            "not sum up to the score.",
            operations=", ".join(sorted(propagation.unruled)),
        )


def relevance_of(score: Score) -> Score:
    """The relevance of each class output z, z * dS/dz: it sums up to S where S is linear, as logit and contrast are."""

    def explained(scores: Tensor) -> Tensor:
        return (scores * (scores * score_gradient(score, scores)).detach()).sum(dim=1)

    return explained


def relevance_per_layer(
    net: nn.Module, x: Tensor, score: Score, layers: Sequence[nn.Module], composite: Composite
) -> tuple[Tensor, ...]:
    """The sum of the relevance that arrives at each layer's output, (B,): S at all of them but for what biases take."""
    with propagating(composite):
        return gradient_sums(net, x, relevance_of(score), layers)


# ------------------------------------------------------------------------------------------- what each call becomes


class _RelevanceFunction(torch.autograd.Function):
    """A value computed before, of which `back(relevance, *kept)` is what goes back to `inputs`."""

    @staticmethod
    def forward(ctx: Any, value: list[Tensor], back: _Back, kept: Sequence[Tensor], *inputs: Tensor) -> Any:
        ctx.back = back
        ctx.save_for_backward(*kept)
        return value[0]

    @staticmethod
    def backward(ctx: Any, *relevances: Any) -> Any:
        return None, None, None, *ctx.back(relevances[0], *ctx.saved_tensors)


@dataclass
class _Affine:
    """A convolution or linear layer, which a batch norm may join after it ran and before anything goes back."""

    op: Op
    rule: RelevanceRule
    weight: Tensor
    bias: Tensor | None
    joined: bool = False

    def __call__(self, relevance: Tensor, x: Tensor) -> tuple[Tensor]:
        return (self.rule(self.op, x, self.weight, self.bias, relevance),)

    def join(self, *args: Any, **kwargs: Any) -> None:
        """Take in the scale and the shift of a call F.batch_norm(*args, **kwargs), unless one is in already."""
        _, *norm = norm_arguments(*args, **kwargs)
        if norm[4] or self.joined:  # in training
            return
        scale, shift = scale_and_shift(*norm)
        self.weight = self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        self.bias = shift + (0 if self.bias is None else self.bias * scale)
        self.joined = True


@dataclass
class _Pass:
    """Relevance goes on as it is, in equal shares where there are two inputs, summed where one was broadcast."""

    shapes: Sequence[torch.Size]
    gate: bool = False

    def __call__(self, relevance: Tensor) -> tuple[Tensor, ...]:
        part = relevance if len(self.shapes) == 1 else relevance / len(self.shapes)
        return tuple(part.sum_to_size(shape) for shape in self.shapes)


class _Propagation:
    """Replaces the calls of one forward pass by what the composite says; None where a call may run as it is."""

    def __init__(self, composite: Composite) -> None:
        self.composite, self.first, self.unruled = composite, True, set[str]()

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        handle, names = _HANDLERS.get(name, (None, ()))
        kwargs = {key: _constant(value) for key, value in kwargs.items()}
        args = [_constant(value) for value in args]
        args += [kwargs.pop(key) for key in names[len(args) :] if key in kwargs]
        if handle and (ruled := handle(self, name, func, args, kwargs)) is not None:
            return ruled
        result = func(*args, **kwargs)
        return result if name in _ROUTING else self.plain(name, result, args)

    def plain(self, name: str, result: Any, args: Any) -> Any:
        """The result of a call without a rule, whose name is remembered if relevance comes by."""
        if type(result) is tuple:
            return tuple(self.plain(name, part, args) for part in result)
        if not _depends(result) or any(result is value for value in args):
            return result

        def back(relevance: Tensor) -> tuple[Tensor]:
            self.unruled.add(name)
            return (relevance,)

        return _ruled(result.detach(), back, (), [result])

    def affine(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, weight, bias, *others = [*args, None] if len(args) == 2 else args
        if not x.requires_grad:
            return None

        def op(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
            result: Tensor = func(x, w, b, *others, **kwargs)
            return result

        rule = self.composite.linear
        if name != "linear":
            rule, self.first = self.composite.first if self.first else self.composite.convolution, False
        weight = weight.detach()
        with torch.no_grad():
            value = op(x, weight, bias)
        return _ruled(value, _Affine(op, rule, weight, bias), [x], [x])

    def batch_norm(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        layer = getattr(args[0].grad_fn, "back", None)
        if isinstance(layer, _Affine) and func is F.batch_norm:
            layer.join(*args, **kwargs)
        return self.passing(name, func, args, kwargs)

    def passing(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return _passed(func, args, kwargs, args[:1], name in _GATES)

    def pooling(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, *others = args
        if not x.requires_grad:
            return None

        def op(x: Tensor) -> Tensor:
            result: Tensor = func(x, *others, **kwargs)
            return result

        with torch.no_grad():
            value = op(x)
        return _ruled(value, lambda relevance, x: (redistribute(op, [(x,)], relevance),), [x], [x])

    def addition(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        if not all(map(_depends, args[:2])):
            return _passed(func, args, kwargs, args[:2])
        value, in_place = _compute(func, args, kwargs)
        one, other = args[:2]
        shapes = one.shape, other.shape
        with torch.no_grad():
            alone = func(one.clone(), torch.zeros_like(other), **kwargs), func(torch.zeros_like(one), other, **kwargs)
            shares = [part / stabilized(value) for part in alone]

        def back(relevance: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
            return tuple((relevance * part).sum_to_size(shape) for part, shape in zip(shares, shapes, strict=True))

        result = _ruled(value, back, shares, [one, other])
        return one.copy_(result) if in_place else result

    def product(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return _passed(func, args, kwargs, _signals([value for value in args[:2] if _depends(value)]))

    def quotient(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return _passed(func, args, kwargs, args[:1])


def _ruled(value: Tensor, back: _Back, kept: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
    result: Tensor = _RelevanceFunction.apply([value], back, kept, *inputs)  # type: ignore[no-untyped-call]
    return result


def _passed(func: Any, args: Any, kwargs: Any, inputs: Sequence[Any], gate: bool = False) -> Tensor | None:
    """A call through which relevance passes to those of `inputs` that depend on the picture; None where none does."""
    inputs = [value for value in inputs if _depends(value)]
    if not inputs:
        return None
    value, in_place = _compute(func, args, kwargs)
    result = _ruled(value, _Pass([x.shape for x in inputs], gate), (), inputs)
    return args[0].copy_(result) if in_place else result  # type: ignore[no-any-return]


def _compute(func: Any, args: Any, kwargs: Any) -> tuple[Tensor, bool]:
    """The value of a call that overwrites nothing, and whether it meant to overwrite its first argument."""
    with torch.no_grad():
        first = args[0].clone() if isinstance(args[0], Tensor) else args[0]
        value = func(first, *args[1:], **kwargs)
    return value, value is first


def _constant(value: Any) -> Any:
    return value.detach() if isinstance(value, nn.Parameter) else value


def _depends(value: Any) -> bool:
    """Whether a value comes from the picture: parameters were made constants."""
    return isinstance(value, Tensor) and value.requires_grad


def _signals(factors: list[Tensor]) -> list[Tensor]:
    """The factors of a product that are no gates; both where that cannot be told."""
    if len(factors) < 2:
        return factors
    largest = max(factor.numel() for factor in factors)
    large = [factor for factor in factors if factor.numel() == largest]
    return [factor for factor in large if not _is_gate(factor)] or large


def _is_gate(x: Tensor) -> bool:
    """Whether the last ruled call before x, beyond views and copies, was a sigmoid or its like."""
    node: Any = x.grad_fn
    while node is not None and not hasattr(node, "back"):
        node = node.next_functions[-1][0] if node.next_functions else None
    return isinstance(getattr(node, "back", None), _Pass) and bool(node.back.gate)


def _words(text: str) -> set[str]:
    return set(text.split())


_GATES = _words("sigmoid hardsigmoid softmax tanh")
_ACTIVATIONS = _words(
    """
    relu relu6 hardtanh clamp clip clamp_min clamp_max threshold leaky_relu prelu rrelu elu selu celu silu gelu mish
    softplus softsign hardswish tanhshrink hardshrink softshrink logsigmoid log_softmax
"""
)
_NORMALIZATIONS = _words("layer_norm group_norm instance_norm rms_norm local_response_norm normalize")
_POOLINGS = _words(
    """
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean sum
    interpolate upsample
"""
)
# Calls that only move values about: the plain gradient takes relevance where it belongs.
_ROUTING = _words(
    """
    get getitem setitem view view_as reshape reshape_as flatten unflatten permute transpose t swapaxes swapdims movedim
    squeeze unsqueeze expand expand_as broadcast_to contiguous clone copy detach requires_grad to type type_as float
    double half bfloat16 cat concat concatenate stack chunk split tensor_split split_with_sizes unbind narrow select
    index_select flip roll pad repeat tile pixel_shuffle pixel_unshuffle channel_shuffle max amax maximum
    max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
"""
)

_Handler = Callable[[_Propagation, str, Any, Any, Any], Tensor | None]
_HANDLERS: dict[str, tuple[_Handler, tuple[str, ...]]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "linear"), (_Propagation.affine, ("input", "weight", "bias"))),
    **dict.fromkeys(_ACTIVATIONS | _NORMALIZATIONS | _GATES, (_Propagation.passing, ("input",))),
    **dict.fromkeys(_POOLINGS, (_Propagation.pooling, ("input",))),
    **dict.fromkeys(("add", "radd", "sub", "rsub", "subtract"), (_Propagation.addition, ("input", "other"))),
    **dict.fromkeys(("mul", "rmul", "multiply", "neg", "negative"), (_Propagation.product, ("input", "other"))),
    **dict.fromkeys(("div", "divide", "true_divide"), (_Propagation.quotient, ("input",))),
    "batch_norm": (_Propagation.batch_norm, ("input",)),
}
