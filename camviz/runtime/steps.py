"""Record the intermediate values of a computation on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_recorded: ContextVar[list[dict[str, Any]] | None] = ContextVar("camviz_steps", default=None)


def record_step(**values: Any) -> None:
    """Append the named values, without copies, to the list of `recording_steps`; do nothing outside it."""
    if (steps := _recorded.get()) is not None:
        steps.append(values)


@contextmanager
def recording_steps() -> Iterator[list[dict[str, Any]]]:
    """Yield the list to which every `record_step` inside the context appends its values, in this thread only.

    If recordings are nested, the innermost one receives the steps.
    """
    steps: list[dict[str, Any]] = []
    token = _recorded.set(steps)
    try:
        yield steps
    finally:
        _recorded.reset(token)
