"""The queue of computations: one at a time, first come, first served."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ...errors import in_memory
from ...text import duration_text
from ..session.language import tr
from .singletons import process_singleton

Waiting = Callable[[int], None]


class ReportProgress(Protocol):
    """Report the finished share of the work, 0 to 1, and a text; a rerun of the page ends the work by an exception.

    `ahead`: the number of computations before this one in the queue, 0 while it runs.
    """

    def __call__(self, share: float, text: str = "", *, ahead: int = 0) -> Any: ...


POLL_SECONDS = 0.3  # seconds between two reports of the place in the queue


class _Place:
    """A place in the queue."""

    def __init__(self) -> None:
        self.had_turn = False
        self.first = threading.Event()


class ComputeQueue:
    """One computation at a time in this process, first come, first served; long ones yield their turn in between.

    A computation that has not had a turn yet goes before those that have, so a short one does not wait for a long one.
    """

    def __init__(self) -> None:
        self._queue: list[_Place] = []  # the first one computes
        self._lock = threading.Lock()
        self._mine = threading.local()

    @contextmanager
    def turn(self, waiting: Waiting) -> Iterator[Callable[[], None]]:
        """Wait for the turn of this thread, and hold it. Yields a function that lets all waiting threads go first.

        `waiting(n)` is called every 0.3 s while n others come first; what it raises ends the wait.
        Raises CamvizError if the memory does not suffice in the turn. A turn within a turn is the same turn.
        """
        if (mine := getattr(self._mine, "turn", None)) is not None:
            yield mine
            return
        place = _Place()

        def queue_up() -> None:
            with self._lock:
                later = [index for index, other in enumerate(self._queue) if index and other.had_turn]
                self._queue.insert(later[0] if later and not place.had_turn else len(self._queue), place)
                self._queue[0].first.set()
            while not place.first.wait(POLL_SECONDS):
                waiting(self._queue.index(place))
            place.had_turn = True

        def leave() -> None:
            place.first.clear()
            self._queue.remove(place)
            if self._queue:
                self._queue[0].first.set()

        def yield_turn() -> None:
            with self._lock:
                if len(self._queue) == 1:
                    return
                leave()
            queue_up()

        try:
            queue_up()
            self._mine.turn = yield_turn
            with in_memory():
                yield yield_turn
        finally:
            self._mine.turn = None
            with self._lock:
                if place in self._queue:
                    leave()


@process_singleton
def compute_queue() -> ComputeQueue:
    """Return the queue of this server."""
    return ComputeQueue()


@contextmanager
def in_queue(report: ReportProgress, start: float = 0.0, end: float = 1.0) -> Iterator[Callable[[int, int], None]]:
    """Hold a turn to compute; yield progress(done, total), which reports the time left and yields the turn to others.

    It reports this work as the part from `start` to `end` of a longer one.
    """
    with compute_queue().turn(lambda ahead: report(start, ahead=ahead)) as yield_turn:
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            yield_turn()
            text = tr("Starting")
            if done:
                left = duration_text((time.monotonic() - started) * (total - done) / done)
                text = tr("{done} of {total}, about {time} left", done=done, total=total, time=left)
            report(start + (end - start) * done / total, text)

        yield progress
