"""Relevance propagation by autograd: the backward pass of each torch call under a composite of rules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..scores import Score
from ..tape import add_note, gradient_sums, intercepting, score_gradient, watch_step
from .rules import Composite, redistribute, stabilized
from .steps import Affine, computed, constant, depends, is_gate, passed_on, ruled_step
from .unseen import name_of, nodes_between, nodes_of_tensors, unseen_steps


@contextmanager
def propagating(composite: Composite, *, to_layer: bool = False) -> Iterator[None]:
    """Let autograd propagate relevance inside the context. A batch norm is merged with the layer before it.

    `to_layer`: propagate to the output of a layer instead of the pixels. Convolutions before the layer are not
    differentiated, and the first one after it is not the first convolution of the network.
    """
    propagation = _Propagation(composite, to_layer)
    with intercepting(propagation, every_step=True, before_backward=propagation.watch_unseen):
        yield
    if propagation.unruled:
        add_note(
            "Relevance has no rule for {operations}, which passed on the plain gradient: the map may "
            "not sum to the score.",
            operations=", ".join(sorted(propagation.unruled)),
        )


def relevance_of(score: Score) -> Score:
    """Return a score whose relevance at class score z is z * dS/dz; the sum is S for a linear S (logit, contrast)."""

    def explained(scores: Tensor) -> Tensor:
        return (scores * (scores * score_gradient(score, scores)).detach()).sum(dim=1)

    return explained


def relevance_per_layer(
    net: nn.Module, x: Tensor, score: Score, layers: Sequence[nn.Module], composite: Composite
) -> tuple[Tensor, ...]:
    """Return the sum of the relevance at each layer's output, (B,): S minus the part that biases after it absorb."""
    with propagating(composite):
        return gradient_sums(net, x, relevance_of(score), layers)


# ------------------------------------------------------------------------------------- the replacement of each call


class _Propagation:
    """Replaces the calls of one forward pass by the rules of a composite. A handler returns None to keep a call."""

    def __init__(self, composite: Composite, to_layer: bool = False) -> None:
        self.composite, self.to_layer, self.first, self.unruled = composite, to_layer, True, set[str]()
        self.seen = set[Any]()  # nodes of autograd's graph that belong to calls without a rule

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        handle, names = _HANDLERS.get(name, (None, ()))
        kwargs = {key: constant(value) for key, value in kwargs.items()}
        args = [constant(value) for value in args]
        args += [kwargs.pop(key) for key in names[len(args) :] if key in kwargs]
        if handle and (ruled := handle(self, name, func, args, kwargs)) is not None:
            return ruled
        if name in _ROUTING:
            return func(*args, **kwargs)
        before = nodes_of_tensors(args)
        result = func(*args, **kwargs)
        self.seen.update(nodes_between(result, before))
        return self.plain(name, result, args)

    def plain(self, name: str, result: Any, args: Any) -> Any:
        """Return the result of a call without a rule, and record its name if relevance passes through it."""
        if type(result) is tuple:
            return tuple(self.plain(name, part, args) for part in result)
        if not depends(result):
            return result
        if any(result is value for value in args):
            self.unruled.add(name)  # a call in place cannot be wrapped
            return result

        def back(relevance: Tensor) -> tuple[Tensor]:
            self.unruled.add(name)
            return (relevance,)

        return ruled_step(result.detach(), back, (), [result])

    def watch_unseen(self, score: Tensor) -> None:
        """Record the names of the steps that no intercepted call has made, unless they pass relevance on unchanged."""
        for node in unseen_steps(score, self.seen):
            watch_step(node, partial(self._check_unchanged, name_of(node)))

    def _check_unchanged(self, name: str, leaving: tuple[Any, ...], arriving: tuple[Any, ...]) -> None:
        (relevance,) = [value for value in arriving if value is not None][:1] or [None]
        passed = [value for value in leaving if value is not None]
        if relevance is None or not passed:
            return
        if len(passed) > 1 or not bool(((passed[0] == relevance) | (passed[0] == 0)).all()):
            self.unruled.add(name)

    def affine(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, weight, bias, *others = [*args, None] if len(args) == 2 else args
        if not x.requires_grad:
            self.first = self.first and not (self.to_layer and name != "linear")
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
        return ruled_step(value, Affine(op, rule, weight, bias), [x], [x])

    def batch_norm(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        layer = getattr(args[0].grad_fn, "back", None)
        if isinstance(layer, Affine) and func is F.batch_norm:
            layer.fuse(*args, **kwargs)
        return self.passing(name, func, args, kwargs)

    def passing(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return passed_on(func, args, kwargs, args[:1], name in _GATES)

    def pooling(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, *others = args
        if not x.requires_grad:
            return None

        def op(x: Tensor) -> Tensor:
            result: Tensor = func(x, *others, **kwargs)
            return result

        with torch.no_grad():
            value = op(x)
        return ruled_step(value, lambda relevance, x: (redistribute(op, [(x,)], relevance),), [x], [x])

    def addition(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        if not all(map(depends, args[:2])):
            return passed_on(func, args, kwargs, args[:2], keeps_gate=True)
        value, in_place = computed(func, args, kwargs)
        one, other = args[:2]
        shapes = one.shape, other.shape
        with torch.no_grad():
            alone = func(one.clone(), torch.zeros_like(other), **kwargs), func(torch.zeros_like(one), other, **kwargs)
            shares = [part / stabilized(value) for part in alone]

        def back(relevance: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
            return tuple((relevance * part).sum_to_size(shape) for part, shape in zip(shares, shapes, strict=True))

        result = ruled_step(value, back, shares, [one, other])
        return one.copy_(result) if in_place else result

    def product(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return passed_on(func, args, kwargs, _signals([value for value in args[:2] if depends(value)]), keeps_gate=True)

    def bilinear(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        """Distribute relevance in a product of matrices; attention weights and other gates count as constant.

        Two factors that are no gates receive one half each.
        """
        places = [place for place, value in enumerate(args) if depends(value)]
        if name == "scaled_dot_product_attention":
            places = [place for place in places if place == 2]
        elif len(places) > 1:
            places = [place for place in places if not is_gate(args[place])] or places
        if not places:
            return None

        def op(x: Tensor, place: int) -> Tensor:
            result: Tensor = func(*args[:place], x, *args[place + 1 :], **kwargs)
            return result

        def back(relevance: Tensor, *factors: Tensor) -> tuple[Tensor, ...]:
            part = relevance / len(factors)
            return tuple(
                redistribute(partial(op, place=place), [(x,)], part) for place, x in zip(places, factors, strict=True)
            )

        with torch.no_grad():
            value = func(*args, **kwargs)
        factors = [args[place] for place in places]
        args = [value.detach() if isinstance(value, Tensor) else value for value in args]
        return ruled_step(value, back, factors, factors)

    def quotient(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return passed_on(func, args, kwargs, args[:1], keeps_gate=True)


def _signals(factors: list[Tensor]) -> list[Tensor]:
    """Return the factors of a product that are not gates; both if that is unclear."""
    if len(factors) < 2:
        return factors
    largest = max(factor.numel() for factor in factors)
    large = [factor for factor in factors if factor.numel() == largest]
    return [factor for factor in large if not is_gate(factor)] or large


def _words(text: str) -> set[str]:
    return set(text.split())


_GATES = _words("sigmoid hardsigmoid softmax tanh sign sgn heaviside")
_ACTIVATIONS = _words(
    """
    relu relu6 hardtanh clamp clip clamp_min clamp_max threshold leaky_relu prelu rrelu elu selu celu silu gelu mish
    softplus softsign hardswish tanhshrink hardshrink softshrink logsigmoid log_softmax abs absolute
"""
)
_NORMALIZATIONS = _words("layer_norm group_norm instance_norm rms_norm local_response_norm normalize")
_POOLINGS = _words(
    """
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean sum
    interpolate upsample
"""
)
# Calls that only move values: the plain gradient passes relevance to the right place.
_ROUTING = _words(
    """
    get getitem setitem view view_as reshape reshape_as flatten unflatten permute transpose t swapaxes swapdims movedim
    squeeze unsqueeze expand expand_as broadcast_to contiguous clone copy detach requires_grad to type type_as float
    double half bfloat16 cat concat concatenate stack chunk split tensor_split split_with_sizes unbind narrow select
    index_select flip roll pad repeat tile pixel_shuffle pixel_unshuffle channel_shuffle
    max amax maximum fmax min amin minimum fmin
    where masked_fill unfold
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
    **dict.fromkeys(("matmul", "rmatmul"), (_Propagation.bilinear, ("input", "other"))),
    **dict.fromkeys(("mm", "bmm"), (_Propagation.bilinear, ("input", "mat2"))),
    "einsum": (_Propagation.bilinear, ()),
    "scaled_dot_product_attention": (_Propagation.bilinear, ("query", "key", "value")),
    "batch_norm": (_Propagation.batch_norm, ("input",)),
}
