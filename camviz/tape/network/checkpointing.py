"""Passes without gradient checkpointing, which would repeat parts of a pass outside of the contexts that observe it.

torch.utils.checkpoint looks up the two functions that it calls by name in its own module. Both are replaced there once,
by functions that do the same except in a pass of CamViz. So it does not matter how a network imports `checkpoint`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from torch.utils import checkpoint as torchs

_off: ContextVar[bool] = ContextVar("camviz_without_checkpoints", default=False)


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Run a network without checkpointing, in this thread only. Values and gradients do not change."""
    _install_once()
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


@cache
def _install_once() -> None:
    torchs.CheckpointFunction = _Reentrant  # type: ignore[misc]
    torchs._checkpoint_without_reentrant_generator_impl = _not_reentrant


_ORIGINAL, _ORIGINAL_NOT_REENTRANT = torchs.CheckpointFunction, torchs._checkpoint_without_reentrant_generator_impl


class _Reentrant(_ORIGINAL):  # type: ignore[misc, valid-type]
    @classmethod
    def apply(cls, function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        if _off.get():
            return function(*args)
        return _ORIGINAL.apply(function, preserve_rng_state, *args)


def _not_reentrant(*args: Any, **kwargs: Any) -> Iterator[None]:
    if _off.get():
        yield
    else:
        yield from _ORIGINAL_NOT_REENTRANT(*args, **kwargs)
