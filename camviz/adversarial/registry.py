"""The table of attacks, filled by the decorator `attack_method`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..messages import Message
from ..registry import Entry, Table, declared, register

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class AttackMethod(Entry):
    """An attack of ATTACKS: its function returns a perturbation."""


ATTACKS: Table[AttackMethod] = Table(Message("attack"))


def attack_method(title: str, *, paper: str) -> Callable[[Function], Function]:
    """Add the decorated function to ATTACKS under its own name, and return it unchanged.

    It is called as `NAME(objective, ball, *, progress, **knobs)`, and returns a perturbation (H, W, 3) of the ball. Its
    keyword-only parameters except `progress` are its knobs, as those of an attribution method.
    """

    def add(function: Function) -> Function:
        register(ATTACKS, AttackMethod(**declared(function, title, paper)))
        return function

    return add
