"""The queue of computations: one at a time, first come, first served."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import in_memory
from .singletons import process_singleton

Waiting = Callable[[int], None]


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
