"""Forward passes that are kept for all visitors, so that another class or method at a layer is quick."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakKeyDictionary

from torch import nn

from ...models import Model
from ...tape import KeptPass, PassKey, reusing_passes
from .singletons import process_singleton

MAX_BYTES = 64 * 2**20  # of all passes together: some 200 at the last layer of a network


class KeptPasses:
    """Passes by network and key, up to a number of bytes, for all threads. No network is kept alive."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._of: WeakKeyDictionary[nn.Module, OrderedDict[PassKey, tuple[int, KeptPass]]] = WeakKeyDictionary()
        self._refused: WeakKeyDictionary[nn.Module, set[Hashable]] = WeakKeyDictionary()
        self._time = 0  # grows with each use
        self._lock = threading.Lock()

    def get(self, net: nn.Module, key: PassKey) -> KeptPass | None:
        """Return the pass of that key."""
        with self._lock:
            passes = self._of.get(net, OrderedDict())
            if key not in passes:
                return None
            found = passes.pop(key)[1]
            passes[key] = self._now(), found
            return found

    def refuses(self, net: nn.Module, key: PassKey) -> bool:
        """Return whether a pass at the same layer could not be repeated."""
        return key[:2] in self._refused.get(net, ())

    def put(self, net: nn.Module, key: PassKey, found: KeptPass | None) -> None:
        """Keep a pass, or None for one that cannot be repeated; drop the least recently used ones if it is full."""
        with self._lock:
            if found is None:
                self._refused.setdefault(net, set()).add(key[:2])
                return
            passes = self._of.setdefault(net, OrderedDict())
            passes[key] = self._now(), found
            while self._size() > self._limit:
                oldest = min((one for one in self._of.values() if one), key=lambda one: next(iter(one.values()))[0])
                oldest.popitem(last=False)

    def _now(self) -> int:
        self._time += 1
        return self._time

    def _size(self) -> int:
        return sum(found.nbytes for passes in self._of.values() for _, found in passes.values())


@process_singleton
def kept_passes() -> KeptPasses:
    """Return the kept passes of this server."""
    return KeptPasses()


def reusing(model: Model) -> AbstractContextManager[None]:
    """Return the context in which forward passes of a model are kept and reused; not if they draw random numbers."""
    return nullcontext() if model.draws_random_numbers else reusing_passes(kept_passes())
