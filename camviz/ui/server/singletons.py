"""Objects that live as long as this process."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Thing = TypeVar("Thing")


_singletons: dict[Callable[[], Any], Any] = {}


_guard = threading.Lock()


def process_singleton(make: Callable[[], Thing]) -> Callable[[], Thing]:
    """Made once in this process, and there for everybody; st.cache_resource any visitor's browser could clear."""

    @wraps(make)
    def get() -> Thing:
        with _guard:
            if make not in _singletons:
                _singletons[make] = make()
            found: Thing = _singletons[make]
            return found

    return get


def clear_singletons() -> None:
    """Begin anew, as a server that was just started; for tests."""
    with _guard:
        _singletons.clear()
