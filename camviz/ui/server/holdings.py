"""The uploads that this process holds in memory, each found only under its visitor's token."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .singletons import process_singleton

# All visitors together, by kind.
MAX_BYTES = {"image": 2**29, "files": 2**28, "network": 2**30, "seat": 2**20, "work": 2**25}
LIFETIME = 2 * 60 * 60.0  # seconds after the visitor's last run, at which uploads are dropped


@dataclass(frozen=True)
class _Upload:
    value: Any
    size: int
    number: int  # grows with each upload


class Holdings:
    """Uploads by token, kind and id. If a kind is full, its least recently used uploads are dropped, of any visitor."""

    def __init__(
        self,
        limits: dict[str, int] = MAX_BYTES,
        lifetime: float = LIFETIME,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits, self._lifetime, self._clock = limits, lifetime, clock
        self._kept: dict[str, OrderedDict[tuple[str, str], _Upload]] = {kind: OrderedDict() for kind in limits}
        self._seen: dict[str, float] = {}
        self._number = 0
        self._lock = threading.Lock()

    def of(self, token: str, kind: str) -> dict[str, Any]:
        """Return a visitor's uploads of a kind by id, the first upload first, and renew their lifetime."""
        with self._lock:
            self._drop_expired()
            if token in self._seen:
                self._seen[token] = self._clock()
            own = [(key, upload) for (owner, key), upload in self._kept[kind].items() if owner == token]
        return {key: upload.value for key, upload in sorted(own, key=lambda one: one[1].number)}

    def use(self, token: str, kind: str, key: str) -> None:
        """Count an upload as used now, so that others are dropped before it."""
        with self._lock:
            if (token, key) in self._kept[kind]:
                self._kept[kind].move_to_end((token, key))

    def put(self, token: str, kind: str, key: str, value: Any, size: int) -> None:
        """Hold an upload of `size` bytes, as the visitor's latest one."""
        with self._lock:
            self._drop_expired()
            self._seen[token] = self._clock()
            self._number += 1
            kept = self._kept[kind]
            kept.pop((token, key), None)
            kept[token, key] = _Upload(value, size, self._number)
            while len(kept) > 1 and sum(upload.size for upload in kept.values()) > self._limits[kind]:
                kept.popitem(last=False)

    def remove(self, token: str, kind: str, key: str) -> None:
        """Drop an upload; one that is not held is ignored."""
        with self._lock:
            self._kept[kind].pop((token, key), None)

    def move(self, old: str, new: str) -> None:
        """Give all that is held under one token to another one."""
        with self._lock:
            if self._seen.pop(old, None) is not None:
                self._seen[new] = self._clock()
            for kept in self._kept.values():
                for owner, key in [place for place in kept if place[0] == old]:
                    kept[new, key] = kept.pop((owner, key))

    def _drop_expired(self) -> None:
        expired = {token for token, seen in self._seen.items() if self._clock() - seen > self._lifetime}
        for kept in self._kept.values():
            for place in [place for place in kept if place[0] in expired]:
                del kept[place]
        for token in expired:
            del self._seen[token]


@process_singleton
def holdings() -> Holdings:
    """Return the uploads that this server holds."""
    return Holdings()
