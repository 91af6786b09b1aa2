"""ReLUs that are written with other operations, and ReLUs in functions whose calls cannot be intercepted."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .relu import Rule, is_zero

_PRODUCTS = {torch.mul, torch.multiply, Tensor.mul, Tensor.multiply, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_}
_QUOTIENTS = {torch.div, torch.divide, Tensor.div, Tensor.divide, Tensor.__truediv__, torch.true_divide}
_WHERE = {torch.where, Tensor.where}
_FILLS = {torch.masked_fill, Tensor.masked_fill, Tensor.masked_fill_, Tensor.__setitem__}
IN_PLACE = {Tensor.mul_, Tensor.masked_fill_, Tensor.__setitem__}

# The nodes of autograd for ReLUs and clamps without an intercepted call, with the attribute of their lower bound.
_UNSEEN = {
    "ReluBackward0": "",
    **dict.fromkeys(("ClampMinBackward0", "ClampBackward0", "ClampBackward1"), "_saved_min"),
    "HardtanhBackward0": "_saved_min_val",
    "ThresholdBackward0": "_saved_threshold",
}


def spelled_relu(func: Any, args: Any, kwargs: Any) -> Tensor | None:
    """Return x if a call computes max(x, 0) by a mask, or as (x + |x|) / 2; None for any other call.

    The masks are compared with the sign of x: x * (x > 0), where(x > 0, x, 0), x.masked_fill(x < 0, 0), x[x < 0] = 0.
    """
    values = (*args, *kwargs.values())
    if func in _PRODUCTS and len(values) == 2:
        for x, mask in (values, values[::-1]):
            if _is_open(mask, x):
                return x  # type: ignore[no-any-return]
        return _half_of_sum(*values, factor=0.5)
    if func in _QUOTIENTS and len(values) == 2:
        return _half_of_sum(*values, factor=2)
    if func in _WHERE and len(values) == 3:
        mask, one, other = values if func is torch.where else (values[1], values[0], values[2])
        if _is_number(other) and is_zero(other) and _is_open(mask, one):
            return one  # type: ignore[no-any-return]
        if _is_number(one) and is_zero(one) and isinstance(mask, Tensor) and _is_open(~mask, other):
            return other  # type: ignore[no-any-return]
    if func in _FILLS and len(values) == 3:
        x, mask, value = values
        if isinstance(mask, Tensor) and mask.dtype == torch.bool and _is_number(value) and is_zero(value):
            return x if _is_open(~mask, x) else None
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, Tensor) and not value.requires_grad)


def _is_open(mask: Any, x: Any) -> bool:
    """Return whether a mask is 1 exactly where x is positive, and 0 somewhere."""
    if not isinstance(mask, Tensor) or not isinstance(x, Tensor) or not x.requires_grad or mask.requires_grad:
        return False
    if mask.shape != x.shape or not x.is_floating_point():
        return False
    mask, x = mask.detach().to(x.dtype), x.detach()
    same = torch.equal(mask, (x > 0).to(x.dtype)) or torch.equal(mask, (x >= 0).to(x.dtype))
    return same and not bool(mask.all())


def _half_of_sum(total: Any, scale: Any, factor: float) -> Tensor | None:
    """Return x of a sum x + |x| that is halved."""
    node = total.grad_fn if isinstance(total, Tensor) else None
    if not isinstance(scale, int | float) or scale != factor or node is None or node.name() != "AddBackward0":
        return None
    (one, _), (other, _) = node.next_functions
    for plain, absolute in ((one, other), (other, one)):
        if absolute is not None and absolute.name() == "AbsBackward0" and absolute.next_functions[0][0] is plain:
            return getattr(absolute, "_saved_self", None)
    return None


def nodes_of(scores: Tensor) -> Iterator[Any]:
    """Yield every node of the graph that autograd has recorded for the scores."""
    waiting, seen = [scores.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [following for following, _ in node.next_functions]


def watch_step(node: Any, see: Callable[[tuple[Any, ...], tuple[Any, ...]], None]) -> None:
    """Call `see(leaving, arriving)` with the gradients of a node in the backward pass of this graph."""
    node.register_hook(see)


def is_own_function(node: Any) -> bool:
    """Return whether a node is an autograd.Function of the network, with its own backward pass."""
    made_by = getattr(type(node), "_forward_cls", None)
    return made_by is not None and not made_by.__module__.startswith(("camviz.", "torch."))


def rule_unseen(scores: Tensor, rule: Rule, ruled: Callable[[], None], unknown: Callable[[str], None]) -> None:
    """Apply the rule to ReLUs without an intercepted call: in scripted functions and the network's autograd.Functions.

    Such a function counts as a ReLU if each element of its backward pass is the gradient or 0. `ruled()` is called for
    each ReLU, `unknown(name)` for each other function.
    """
    for node in nodes_of(scores):
        name = node.name()
        bound = _UNSEEN.get(name)
        if bound == "" or (bound and getattr(node, bound, None) == 0):
            node.register_hook(_ruled(rule, ruled, None))  # of this pass only
        elif name == "SignBackward0":
            unknown("sign")
        elif is_own_function(node) or "DifferentiableGraph" in name:
            node.register_hook(_ruled(rule, ruled, partial(unknown, name)))


def _ruled(rule: Rule, ruled: Callable[[], None], unknown: Callable[[], None] | None) -> Callable[..., Any]:
    def hook(inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> Any:
        arriving = outputs[0]
        place = next((n for n, one in enumerate(inputs) if one is not None and one.shape == arriving.shape), None)
        if place is None:
            return unknown() if unknown else None
        leaving = inputs[place]
        closed = (leaving == 0) & (arriving != 0)
        if unknown and not (bool(((leaving == arriving) | closed).all()) and bool(closed.any())):
            return unknown()
        ruled()
        slope = (~closed).to(arriving.dtype)
        return (*inputs[:place], rule(arriving, slope), *inputs[place + 1 :])

    return hook
