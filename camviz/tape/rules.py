"""Intercept torch calls, and change the backward pass of ReLUs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch.overrides import TorchFunctionMode

from ..errors import CamvizError
from .pass_counts import add_note
from .relu import SMOOTH, Rule, apply_rule, gate_of

rules_in_force: ContextVar["CallMode | None"] = ContextVar("camviz_rules", default=None)


@contextmanager
def backward_rule(rule: Rule, extended: bool = False) -> Iterator[None]:
    """Within it every ReLU passes back `rule(gradient, slope)` instead of gradient * slope.

    `slope` is the activation's own derivative: 1 where it passes its input on, 0 where it cuts it off. ReLU
    and ReLU6 count in every form (module, function, in place, used again, clamp at zero). With `extended`,
    smooth activations (SiLU, GELU, ...) follow the rule too. Raises CamvizError where no activation does.
    """
    mode = _RuleMode(rule, extended)
    with _in_force(mode):
        yield
    if not mode.ruled:
        raise CamvizError(
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


@contextmanager
def intercepting(replace: Callable[[Any, Any, Any], Any], every_step: bool = False) -> Iterator[None]:
    """Within it every torch call of a forward pass in this thread becomes `replace(func, args, kwargs)`.

    `every_step`: a compiled network, whose calls stay unseen, is refused.
    """
    with _in_force(_Interception(replace, every_step)):
        yield


@contextmanager
def _in_force(mode: "CallMode") -> Iterator[None]:
    token = rules_in_force.set(mode)
    try:
        yield
    finally:
        rules_in_force.reset(token)


class CallMode(TorchFunctionMode):
    """What comes between a network and its torch calls; with `every_step` it must not miss one."""

    every_step = True


class _Interception(CallMode):
    def __init__(self, replace: Callable[[Any, Any, Any], Any], every_step: bool = False) -> None:
        super().__init__()
        self.replace, self.every_step = replace, every_step

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.replace(func, args, kwargs or {})


class _RuleMode(CallMode):
    """Replaces each ReLU call of this thread by one with the rule as its backward."""

    def __init__(self, rule: Rule, extended: bool) -> None:
        super().__init__()
        self.rule, self.extended, self.ruled, self.plain = rule, extended, 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        gate = gate_of(func, args, kwargs)
        if gate is None and func not in SMOOTH:
            return func(*args, **kwargs)
        if gate is None and not self.extended:
            self.plain += 1
            return func(*args, **kwargs)
        self.ruled += 1
        return apply_rule(func, args, kwargs, gate, self.rule)
