"""A word from within a long pass, so that a computation can be cancelled in the middle of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from .batches import Progress

SILENCE = 0.2  # seconds after which a word is due
_beat: ContextVar[Callable[[Any], None] | None] = ContextVar("camviz_beat", default=None)


@contextmanager
def pulse(progress: Progress | None) -> Iterator[Progress | None]:
    """Within it, and in this thread, `progress` is told its last (done, total) again after each silence of 0.2 s.

    Gives the progress that the computation shall call. Before it has said anything, (0, 1) is told. What `progress`
    raises comes out of the network's pass.
    """
    if progress is None:
        yield None
        return
    last, heard = (0, 1), perf_counter()

    def tell(done: int, total: int) -> None:
        nonlocal last, heard
        last, heard = (done, total), inf  # what it computes is heard by nobody
        with torch._C.DisableTorchFunction():  # nor part of the network
            progress(done, total)
        heard = perf_counter()

    def beat(output: Any) -> None:
        silent = perf_counter() - heard
        if silent > SILENCE:
            tell(*last)
        elif silent > SILENCE / 4 and isinstance(output, Tensor) and output.requires_grad and not output.is_cuda:
            output.register_hook(lambda _: beat(None))  # type: ignore[no-untyped-call]  # on the way back too

    token = _beat.set(beat)
    try:
        yield tell
    finally:
        _beat.reset(token)


def beat(output: Any) -> None:
    """A module of a network has given its output."""
    if (due := _beat.get()) is not None:
        due(output)
