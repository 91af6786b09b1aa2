"""Progress reports from inside a long forward pass, so that Cancel takes effect within 0.2 s."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Any

from ..errors import CamvizError

Progress = Callable[[int, int], None]
HEARTBEAT_SECONDS = 0.2  # between two reports
_FROM_PROGRESS = "camviz_from_progress"  # attribute that marks an exception of a progress callback


def check_progress(progress: Any) -> None:
    """Raise CamvizError if `progress` is neither None nor a function."""
    if progress is not None and not callable(progress):
        raise CamvizError(
            "progress must be a function that can be called as progress(done, total); got {kind}",
            kind=type(progress).__name__,
        )


def raised_by_progress(error: BaseException) -> bool:
    """Return whether a progress callback raised this exception to end the computation."""
    return _FROM_PROGRESS in getattr(error, "__dict__", {})


@dataclass
class _Heartbeat:
    """A progress callback, its last report, and the time of it."""

    progress: Progress
    last: tuple[int, int]
    reported: float  # perf_counter() of the last report; infinite while the callback runs

    def report(self, done: int, total: int) -> None:
        self.last, self.reported = (done, total), inf
        try:
            self.progress(done, total)
        except Exception as error:
            error.__dict__[_FROM_PROGRESS] = True
            raise
        self.reported = perf_counter()


_heartbeat: ContextVar[_Heartbeat | None] = ContextVar("camviz_heartbeat", default=None)


@contextmanager
def heartbeat(progress: Progress | None) -> Iterator[Progress | None]:
    """Repeat the last report (done, total) to `progress` after every 0.2 s without one, in this thread.

    Yields the callback that the computation must call. Before its first report, (0, 1) is repeated. An exception of
    `progress` ends the network's forward pass.
    """
    if progress is None:
        yield None
        return
    current = _Heartbeat(progress, (0, 1), perf_counter())
    token = _heartbeat.set(current)
    try:
        yield current.report
    finally:
        _heartbeat.reset(token)


def has_heartbeat() -> bool:
    """Return whether this thread has a progress callback."""
    return _heartbeat.get() is not None


def seconds_since_report() -> float:
    """Return the seconds since the last progress report; 0 without a callback."""
    current = _heartbeat.get()
    return 0.0 if current is None else perf_counter() - current.reported


def repeat_report() -> None:
    """Repeat the last progress report."""
    if (current := _heartbeat.get()) is not None:
        current.report(*current.last)
