"""Rate limits: wrong codes of one visitor, and events of all visitors within a minute."""

from collections import OrderedDict, deque
from math import ceil

from ....errors import RoomError

FREE = 3  # wrong codes of a visitor before a wait
LONGEST = 300.0  # seconds of a visitor's wait
KEPT = 10_000  # visitors who are remembered; the earliest ones are dropped
MINUTE = 60.0


class WrongCodes:
    """The wrong codes of each visitor: after `FREE` of them the wait doubles with each, 2 s, 4 s, 8 s, ..."""

    def __init__(self) -> None:
        self._tried: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and when the visitor may go on

    def check(self, visitor: str, now: float) -> None:
        """Raise RoomError while this visitor has to wait."""
        left = self._tried.get(visitor, (0, 0.0))[1] - now
        if left > 0:
            raise RoomError(
                "too many wrong codes: try again in {seconds} s, with the code that your teacher shows",
                seconds=ceil(left),
            )

    def count(self, visitor: str, now: float) -> None:
        """Count a wrong code."""
        tried = self._tried.pop(visitor, (0, 0.0))[0] + 1
        wait = min(LONGEST, 2.0 ** (tried - FREE)) if tried > FREE else 0.0
        self._tried[visitor] = tried, now + wait
        while len(self._tried) > KEPT:
            self._tried.popitem(last=False)

    def forget(self, visitor: str) -> None:
        """Forget the wrong codes of a visitor who has entered."""
        self._tried.pop(visitor, None)


class PerMinute:
    """At most `most` events of all visitors together within a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque(maxlen=most)

    def wait(self, now: float) -> int:
        """Return the seconds until another event is allowed; 0: now."""
        if len(self._times) < self._most:
            return 0
        return max(0, ceil(self._times[0] + MINUTE - now))

    def count(self, now: float) -> None:
        """Count an event."""
        self._times.append(now)
