"""Count forward and backward passes, and collect notes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..messages import Message, Value

active_counts: ContextVar["PassCounts | None"] = ContextVar("camviz_pass_counts", default=None)


@dataclass
class PassCounts:
    """The cost of a computation in passes of one sample, and the notes of its method."""

    forward_passes: int = 0
    backward_passes: int = 0
    notes: list[str] = field(default_factory=list)


@contextmanager
def counting_passes() -> Iterator[PassCounts]:
    """Count the passes inside the context, in this thread only."""
    counts = PassCounts()
    token = active_counts.set(counts)
    try:
        yield counts
    finally:
        active_counts.reset(token)


def add_note(template: str, /, **values: Value) -> None:
    """Add a sentence about the result, as Message takes it, to the notes of the computation in progress."""
    sentence = Message(template, **values)
    if (counts := active_counts.get()) and sentence not in counts.notes:
        counts.notes.append(sentence)
