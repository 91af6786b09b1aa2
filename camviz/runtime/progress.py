"""A word from within a long pass of a network, so that a computation can be canceled in the middle of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from time import perf_counter

Progress = Callable[[int, int], None]
HEARTBEAT_SECONDS = 0.2  # seconds after which a word is due


@dataclass
class _Heartbeat:
    """Who wants to hear, what was said last, and when."""

    progress: Progress
    last: tuple[int, int]
    heard: float

    def tell(self, done: int, total: int) -> None:
        self.last, self.heard = (done, total), inf  # while it listens, it is not told again
        self.progress(done, total)
        self.heard = perf_counter()


_heartbeat: ContextVar[_Heartbeat | None] = ContextVar("camviz_pulse", default=None)


@contextmanager
def heartbeat(progress: Progress | None) -> Iterator[Progress | None]:
    """Within it, and in this thread, `progress` is told its last (done, total) again after each silence of 0.2 s.

    Gives the progress that the computation shall call. Before it has said anything, (0, 1) is told. What `progress`
    raises comes out of the network's pass.
    """
    if progress is None:
        yield None
        return
    found = _Heartbeat(progress, (0, 1), perf_counter())
    token = _heartbeat.set(found)
    try:
        yield found.tell
    finally:
        _heartbeat.reset(token)


def seconds_since_report() -> float:
    """The seconds since the last word; 0 where nobody waits for one."""
    found = _heartbeat.get()
    return 0.0 if found is None else perf_counter() - found.heard


def repeat_report() -> None:
    """Say the last word again."""
    if (found := _heartbeat.get()) is not None:
        found.tell(*found.last)
