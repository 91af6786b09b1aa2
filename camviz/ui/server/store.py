"""What the server keeps between runs: networks, finished explanations, and whose turn it is to compute."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from ...explanation.explanation import Explanation
from .queue import Waiting
from .singletons import process_singleton

LARGEST_STORE = 256 * 2**20  # bytes of attributions and views: some 300 pixel maps, or 1,500 class activation maps


class Store:
    """Finished explanations by what they explain; the least recently used go when it is full."""

    def __init__(self, limit: int = LARGEST_STORE) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[Hashable, Explanation] = OrderedDict()
        self._seconds: dict[Hashable, float] = {}
        self._computing: set[Hashable] = set()
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, key: Hashable, waiting: Waiting) -> Iterator[None]:
        """Only one at a time computes a key; the others wait, and then find it here.

        `waiting(1)` is called ten times a second while somebody else has it; what it raises ends the wait.
        """
        while not self._take(key):
            waiting(1)
            time.sleep(0.1)
        try:
            yield
        finally:
            self._computing.discard(key)

    def _take(self, key: Hashable) -> bool:
        with self._lock:
            free = key not in self._computing
            self._computing.add(key)
            return free

    def get(self, key: Hashable) -> Explanation | None:
        """The explanation of that key, or None."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, explanation: Explanation) -> None:
        """Keep an explanation under its key."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = explanation
                self._size += _bytes(explanation)
            while self._size > self._limit and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._size -= _bytes(oldest)

    def seconds(self, key: Hashable, measure: Callable[[], float]) -> float:
        """The estimated duration for that key, measured once; shorter when the work has since taken less."""
        if key not in self._seconds:
            self._seconds[key] = measure()
        return self._seconds[key]

    def took(self, key: Hashable, seconds: float) -> None:
        """What work with an estimated duration took: an estimate that was made while the machine was busy is mended."""
        if key in self._seconds:
            self._seconds[key] = min(seconds, self._seconds[key])


@process_singleton
def result_store() -> Store:
    """The explanations of everybody on this server, found only by the content of the picture."""
    return Store()


def _bytes(explanation: Explanation) -> Any:
    return explanation.attribution.nbytes + explanation.view.nbytes
