"""The modes of torch that a caller may be in: inference mode and autocast."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import torch

from .checkpointing import without_checkpoints

_DEVICES = ("cpu", "cuda", "mps", "xpu")

autocast_dtype: ContextVar[torch.dtype | None] = ContextVar("camviz_autocast_dtype", default=None)


@contextmanager
def usual_modes() -> Iterator[None]:
    """Leave the caller's inference mode and autocast: values are then the same in all of them, and have gradients.

    Gradient checkpointing is left out too.
    """
    with ExitStack() as modes:
        modes.enter_context(without_checkpoints())
        if torch.is_inference_mode_enabled():
            modes.enter_context(torch.inference_mode(False))
            modes.enter_context(torch.no_grad())  # leaving inference mode enables gradients; who needs them does so
        leave_autocast(modes)
        yield


def leave_autocast(modes: ExitStack) -> None:
    """Disable autocast, where it is enabled, until `modes` is closed."""
    for device in _DEVICES:
        if torch.is_autocast_enabled(device):
            modes.enter_context(torch.autocast(device, enabled=False))


@contextmanager
def autocast_to(dtype: torch.dtype | None) -> Iterator[None]:
    """Run the forward passes inside the context under autocast to `dtype`; None leaves them as they are."""
    token = autocast_dtype.set(dtype)
    try:
        yield
    finally:
        autocast_dtype.reset(token)
