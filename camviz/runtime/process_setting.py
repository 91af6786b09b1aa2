"""Settings of the whole process that a computation needs: set by the first thread, put back by the last."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock


class ProcessSetting:
    """`turn` makes the setting, and gives what puts it back as it was."""

    def __init__(self, turn: Callable[[], Callable[[], object]]) -> None:
        self._turn, self._back = turn, turn
        self._lock, self._within = Lock(), 0

    @contextmanager
    def on(self) -> Iterator[None]:
        """Within it the setting holds, whichever threads enter and leave."""
        with self._lock:
            if not self._within:
                self._back = self._turn()  # type: ignore[assignment]
            self._within += 1
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    self._back()
