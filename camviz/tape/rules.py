"""Intercept torch calls, and change the backward pass of ReLUs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..errors import MethodError
from .pass_counts import add_note
from .relu import MAXIMA, SMOOTH, Rule, apply_rule, gate_of, is_zero
from .relu_forms import IN_PLACE, rule_unseen, spelled_relu

active_rules: ContextVar["CallMode | None"] = ContextVar("camviz_rules", default=None)


@contextmanager
def backward_rule(rule: Rule, extended: bool = False) -> Iterator[None]:
    """Make every ReLU inside the context pass back `rule(gradient, slope)` instead of gradient * slope.

    `slope` is the derivative of the activation: 1 where it is the identity, 0 where it is constant. ReLU and ReLU6
    are recognized in every form (module, function, in place, reused, clamp at zero). With `extended`, smooth
    activations (SiLU, GELU, ...) follow the rule too. Raises CamvizError if the network has no such activation.
    """
    mode = _RuleMode(rule, extended)
    with _intercepted_by(mode):
        yield
    if not mode.ruled:
        if mode.unknown:
            raise MethodError(
                "this method is defined by what it does at a ReLU, and this network hides its activations in functions "
                "with their own backward pass ({names}): replace them by nn.ReLU, or use another method",
                names=", ".join(sorted(set(mode.unknown))),
            )
        raise MethodError(
            "this method is defined by what it does at a ReLU, and this network has none; "
            "the setting 'extended' applies it to the network's smooth activations, which the paper does not define"
        )
    if mode.plain:
        add_note(
            "{smooth} smooth activations of this network are no ReLU and kept their plain gradient "
            "({ruled} ReLUs follow the method).",
            smooth=mode.plain,
            ruled=mode.ruled,
        )
    if mode.unknown:
        add_note(
            "Functions that define their own backward pass were left unchanged ({names}), whether or not they are "
            "ReLUs; {ruled} ReLUs follow the method.",
            names=", ".join(sorted(set(mode.unknown))),
            ruled=mode.ruled,
        )


@contextmanager
def intercepting(
    replace: Callable[[Any, Any, Any], Any],
    every_step: bool = False,
    before_backward: Callable[[Tensor], None] | None = None,
) -> Iterator[None]:
    """Replace every torch call of a forward pass in this thread by `replace(func, args, kwargs)`.

    With `every_step`, raise CamvizError for a compiled network, whose calls cannot be intercepted.
    `before_backward(score)` is called before the backward pass of a score.
    """
    with _intercepted_by(_Interception(replace, every_step, before_backward)):
        yield


@contextmanager
def _intercepted_by(mode: "CallMode") -> Iterator[None]:
    token = active_rules.set(mode)
    try:
        yield
    finally:
        active_rules.reset(token)


class CallMode(TorchFunctionMode):
    """Intercepts the torch calls of a network. With `every_step` it refuses networks in which calls would be missed."""

    every_step = True

    def before_backward(self, scores: Tensor) -> None:
        """Prepare the backward pass of these scores; does nothing by default."""


class _Interception(CallMode):
    def __init__(
        self,
        replace: Callable[[Any, Any, Any], Any],
        every_step: bool = False,
        prepare: Callable[[Tensor], None] | None = None,
    ) -> None:
        super().__init__()
        self.replace, self.every_step, self.prepare = replace, every_step, prepare

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.replace(func, args, kwargs or {})

    def before_backward(self, scores: Tensor) -> None:
        """Call the given function, if there is one."""
        if self.prepare is not None:
            self.prepare(scores)


class _RuleMode(CallMode):
    """Replaces each ReLU call of this thread by one with the rule as its backward pass."""

    def __init__(self, rule: Rule, extended: bool) -> None:
        super().__init__()
        self.rule, self.extended, self.ruled, self.plain = rule, extended, 0, 0
        self.unknown: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not torch.is_grad_enabled():  # in the forward of an autograd.Function, too, which no backward rule reaches
            return func(*args, **kwargs)
        if func in MAXIMA and len(args) == 2 and isinstance(args[1], Tensor) and is_zero(args[0]):
            args = args[::-1]
        gate = gate_of(func, args, kwargs)
        if gate is None and func not in SMOOTH:
            return self._spelled(func, args, kwargs)
        if gate is None and not self.extended:
            self.plain += 1
            return func(*args, **kwargs)
        self.ruled += 1
        return apply_rule(func, args, kwargs, gate, self.rule)

    def _spelled(self, func: Any, args: Any, kwargs: Any) -> Any:
        x = spelled_relu(func, args, kwargs)
        if x is None:
            return func(*args, **kwargs)
        self.ruled += 1
        result = apply_rule(torch.relu, (x,), {}, (0.0, float("inf")), self.rule)
        return x.copy_(result) if func in IN_PLACE else result

    def before_backward(self, scores: Tensor) -> None:
        """Apply the rule to the ReLUs that were not intercepted."""
        rule_unseen(scores, self.rule, self._count, self.unknown.append)

    def _count(self) -> None:
        self.ruled += 1
