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
    """Tell the share that is done, 0 to 1, and a text; a rerun of the page ends the work here.

    `ahead`: how many computations come first in the queue, 0 while this one runs.
    """

    def __call__(self, share: float, text: str = "", *, ahead: int = 0) -> Any: ...


POLL_SECONDS = 0.3  # seconds from one word about the queue to the next


class _Place:
    """A place in the queue."""

    def __init__(self) -> None:
        self.had_a_turn = False
        self.first = threading.Event()


class ComputeQueue:
    """One computation at a time in this process, first come first served; long ones let the others in between.

    A visitor who has not had a turn yet goes before those who have, so a short job does not wait for a long one to end.
    """

    def __init__(self) -> None:
        self._queue: list[_Place] = []  # the first one computes
        self._lock = threading.Lock()
        self._mine = threading.local()

    @contextmanager
    def turn(self, waiting: Waiting) -> Iterator[Callable[[], None]]:
        """Wait for one's turn, and hold it. Yields a function that lets everybody else who waits go first.

        `waiting(n)` is called every 0.3 s while n others are before; what it raises ends the wait.
        What finds too little memory in its turn raises CamvizError. A turn within a turn is the same turn.
        """
        if (mine := getattr(self._mine, "turn", None)) is not None:
            yield mine
            return
        ticket = _Place()

        def queue_up() -> None:
            with self._lock:
                later = [place for place, other in enumerate(self._queue) if place and other.had_a_turn]
                self._queue.insert(later[0] if later and not ticket.had_a_turn else len(self._queue), ticket)
                self._queue[0].first.set()
            while not ticket.first.wait(POLL_SECONDS):
                waiting(self._queue.index(ticket))
            ticket.had_a_turn = True

        def leave() -> None:
            ticket.first.clear()
            self._queue.remove(ticket)
            if self._queue:
                self._queue[0].first.set()

        def let_others() -> None:
            with self._lock:
                if len(self._queue) == 1:
                    return
                leave()
            queue_up()

        try:
            queue_up()
            self._mine.turn = let_others
            with in_memory():
                yield let_others
        finally:
            self._mine.turn = None
            with self._lock:
                if ticket in self._queue:
                    leave()


@process_singleton
def compute_queue() -> ComputeQueue:
    """The queue of everybody on this server."""
    return ComputeQueue()


@contextmanager
def in_queue(report: ReportProgress, start: float = 0.0, end: float = 1.0) -> Iterator[Callable[[int, int], None]]:
    """Hold a turn to compute; yield progress(done, total), which tells the time left and lets others in between.

    What it reports is the part from `start` to `end` of a longer work.
    """
    with compute_queue().turn(lambda ahead: report(start, ahead=ahead)) as let_others:
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            let_others()
            text = tr("Starting")
            if done:
                left = duration_text((time.monotonic() - started) * (total - done) / done)
                text = tr("{done} of {total}, about {time} left", done=done, total=total, time=left)
            report(start + (end - start) * done / total, text)

        yield progress
