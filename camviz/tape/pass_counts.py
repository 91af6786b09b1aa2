"""Count forward and backward passes, and collect notes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..messages import Message, Value

counts_in_force: ContextVar["PassCounts | None"] = ContextVar("camviz_account", default=None)


@dataclass
class PassCounts:
    """What a computation cost, in passes of one sample, and what its method has to say of it."""

    forward_passes: int = 0
    backward_passes: int = 0
    notes: list[str] = field(default_factory=list)


@contextmanager
def counting_passes() -> Iterator[PassCounts]:
    """Count the passes that happen within, in this thread only."""
    account = PassCounts()
    token = counts_in_force.set(account)
    try:
        yield account
    finally:
        counts_in_force.reset(token)


def add_note(template: str, /, **values: Value) -> None:
    """Add a sentence about the result, as Message takes it, to the notes of the computation in progress."""
    sentence = Message(template, **values)
    if (account := counts_in_force.get()) and sentence not in account.notes:
        account.notes.append(sentence)
