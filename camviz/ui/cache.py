"""What the server keeps between runs: networks, finished explanations, and whose turn it is to compute."""

import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import streamlit as st

from .. import models
from ..errors import in_memory
from ..explanation import Explanation
from ..models import Model
from .language import t

Waiting = Callable[[int], None]
Thing = TypeVar("Thing")

EVERY = 0.3  # seconds from one word about the queue to the next
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


class _Ticket:
    """A place in the queue."""

    def __init__(self) -> None:
        self.had_a_turn = False
        self.first = threading.Event()


class Turns:
    """One computation at a time in this process, first come first served; long ones let the others in between.

    Whoever has not had a turn yet goes before those who have: a short job waits for no long one to end.
    """

    def __init__(self) -> None:
        self._queue: list[_Ticket] = []  # the first one computes
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
        ticket = _Ticket()

        def queue_up() -> None:
            with self._lock:
                later = [place for place, other in enumerate(self._queue) if place and other.had_a_turn]
                self._queue.insert(later[0] if later and not ticket.had_a_turn else len(self._queue), ticket)
                self._queue[0].first.set()
            while not ticket.first.wait(EVERY):
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


_lasting: dict[Callable[[], Any], Any] = {}
_guard = threading.Lock()


def lasting(make: Callable[[], Thing]) -> Callable[[], Thing]:
    """Made once in this process, and there for everybody; st.cache_resource any visitor's browser could clear."""

    @wraps(make)
    def get() -> Thing:
        with _guard:
            if make not in _lasting:
                _lasting[make] = make()
            found: Thing = _lasting[make]
            return found

    return get


def forget() -> None:
    """Begin anew, as a server that was just started; for tests."""
    with _guard:
        _lasting.clear()


@lasting
def store() -> Store:
    """The explanations of everybody on this server, found only by the content of the picture."""
    return Store()


@lasting
def turns() -> Turns:
    """The queue of everybody on this server."""
    return Turns()


def network(name: str, weights: str, device: str = "cpu") -> Model:
    """The network of that name, one copy for everybody; missing weights are fetched with a progress bar."""
    place = st.empty()

    def show(done: int, total: int) -> None:
        got, of = f"{done / 1e6:.0f}", f"{total / 1e6:.0f}"
        told = t("Fetching {network}: {done} of {total} MB", network=name, done=got, total=of)
        place.progress(min(1.0, done / max(1, total)), told)

    with in_memory():
        found = models.shared(name, weights, device, show)
    place.empty()
    return found


@st.cache_resource(show_spinner=False)
def settle() -> None:
    """Once the first page stands: leave what is there to stay out of every later garbage collection.

    Streamlit collects all garbage after every run of a page. With torch and its libraries loaded that takes 0.2 s, in
    which nobody's page can move.
    """
    gc.collect()
    gc.freeze()


def _bytes(explanation: Explanation) -> Any:
    return explanation.attribution.nbytes + explanation.view.nbytes
