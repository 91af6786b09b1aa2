"""Results that this process keeps for all visitors, found only by the content that they depend on."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from .queue import Waiting
from .singletons import process_singleton

Value = TypeVar("Value")

MAX_BYTES = 256 * 2**20  # of all results together: some 300 pixel maps, or 1,500 class activation maps
MAX_DURATIONS = 5_000  # estimated durations that are kept
SMALLEST = 500  # bytes that are counted for each result beside its value


class Store:
    """Results by the content that they depend on; if it is full, the least recently used ones are dropped."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit, self._size = limit, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._seconds: OrderedDict[Hashable, float] = OrderedDict()
        self._computing: set[Hashable] = set()
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, key: Hashable, waiting: Waiting) -> Iterator[None]:
        """Hold a key so that no other thread computes it at the same time; the others wait, and then find its result.

        `waiting(1)` is called ten times a second while another thread holds the key; what it raises ends the wait.
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

    def get(self, key: Hashable) -> Any:
        """Return the result of that key, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Value) -> Value:
        """Keep a result under its key, and return it."""
        size = SMALLEST + size_of(value)
        with self._lock:
            self._size += size - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = value, size
            while self._size > self._limit and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone
        return value

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the result of that key, computed if it is missing; for quick computations."""
        found: Value | None = self.get(key)
        return self.put(key, make()) if found is None else found

    def seconds(self, key: Hashable, measure: Callable[[], float]) -> float:
        """Return the estimated duration for that key: measured once, then corrected by each run of the work."""
        if (found := self._seconds.get(key)) is None:
            found = measure()
            with self._lock:
                self._seconds[key] = found
                while len(self._seconds) > MAX_DURATIONS:
                    self._seconds.popitem(last=False)
        return found

    def took(self, key: Hashable, seconds: float) -> None:
        """Correct an estimate by the duration of a run; upwards by half at most: other work may have slowed it."""
        with self._lock:
            if key in self._seconds:
                self._seconds[key] = min(seconds, 1.5 * self._seconds[key])


def size_of(value: Any) -> int:
    """Return about how many bytes a result takes: its arrays, tensors, texts and files, however they are nested."""
    if isinstance(value, np.ndarray | Tensor):
        return int(value.nbytes)
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(size_of(key) + size_of(one) for key, one in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return sum(map(size_of, value))
    if is_dataclass(value) and not isinstance(value, type):
        return sum(size_of(getattr(value, field.name)) for field in fields(value))
    return 0


@process_singleton
def result_store() -> Store:
    """Return the store of this server."""
    return Store()
