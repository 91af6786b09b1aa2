"""The two modes of a computation: exact, or fast with fewer bits if this saves time on the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Mode = Literal["exact", "fast"]
MODES: tuple[Mode, ...] = get_args(Mode)

_mode: ContextVar[Mode] = ContextVar("camviz_mode", default="exact")


@contextmanager
def computing(mode: Mode) -> Iterator[None]:
    """Run the passes inside the context in the mode exact or fast, in this thread.

    Fast: passes without gradients run in bfloat16 if the device computes it faster; on CUDA, other passes may round the
    inputs of convolutions to TF32. Elsewhere they are the same as exact ones.
    """
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


def current_mode() -> Mode:
    """Return the mode of this thread."""
    return _mode.get()


def is_fast() -> bool:
    """Return whether passes in this thread may be fast."""
    return _mode.get() == "fast"
