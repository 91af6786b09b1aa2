"""Objects that live as long as this process."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Thing = TypeVar("Thing")

_singletons: dict[Callable[[], Any], Any] = {}
_guard = threading.Lock()


def process_singleton(make: Callable[[], Thing]) -> Callable[[], Thing]:
    """Decorate a function so that it runs once in this process, and its result is kept for all visitors.

    st.cache_resource would not do: any visitor's browser can clear it.
    """

    @wraps(make)
    def get() -> Thing:
        with _guard:
            if make not in _singletons:
                _singletons[make] = make()
            found: Thing = _singletons[make]
            return found

    return get


def clear_singletons() -> None:
    """Forget all singletons, as in a server that was just started; for tests."""
    with _guard:
        _singletons.clear()
