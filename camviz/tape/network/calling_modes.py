"""The modes of torch that a caller or a network may enable: inference mode and autocast."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..pass_counts import add_note
from .checkpointing import without_checkpoints
from .errors import StartAgainError

_DEVICES = ("cpu", "cuda", "mps", "xpu")

autocast_dtype: ContextVar[torch.dtype | None] = ContextVar("camviz_autocast_dtype", default=None)


@contextmanager
def usual_modes() -> Iterator[None]:
    """Leave the caller's inference mode and autocast, so that values do not depend on them and have gradients.

    Gradient checkpointing is disabled too.
    """
    with ExitStack() as modes:
        modes.enter_context(without_checkpoints())
        if torch.is_inference_mode_enabled():
            modes.enter_context(torch.inference_mode(False))
            modes.enter_context(
                torch.no_grad()
            )  # leaving inference mode enables gradients, which are not always needed
        leave_autocast(modes)
        yield


def leave_autocast(modes: ExitStack) -> None:
    """Disable autocast, where it is enabled, until `modes` is closed."""
    for device in _DEVICES:
        if torch.is_autocast_enabled(device):
            modes.enter_context(torch.autocast(device, enabled=False))


@contextmanager
def autocast_to(dtype: torch.dtype | None) -> Iterator[None]:
    """Run the forward passes inside the context under autocast to `dtype`; None changes nothing."""
    token = autocast_dtype.set(dtype)
    try:
        yield
    finally:
        autocast_dtype.reset(token)


_autocasting: WeakSet[nn.Module] = WeakSet()


class _Watch(TorchFunctionMode):
    """Records whether a call runs under autocast."""

    seen = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen |= torch._C._is_any_autocast_enabled()
        return func(*args, **(kwargs or {}))


class _WithoutAutocast(TorchFunctionMode):
    """Runs each call without autocast."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with ExitStack() as modes:
            leave_autocast(modes)
            return func(*args, **(kwargs or {}))


def find_autocast(net: nn.Module, run: Callable[[], Tensor]) -> None:
    """Raise StartAgainError if `run`, a plain pass, is the first one in which autocast is found."""
    if net in _autocasting:
        return
    watch = _Watch()
    with suppress(Exception), watch, torch.no_grad():
        run()
    if watch.seen:
        _autocasting.add(net)
        raise StartAgainError("this network's forward runs under autocast; call it again")


def copy_autocast(net: nn.Module, other: nn.Module) -> None:
    """Mark a copy of a network to run without autocast if the network is marked so."""
    if net in _autocasting:
        _autocasting.add(other)


def without_autocast(net: nn.Module) -> AbstractContextManager[Any]:
    """Return the context in which a network runs without the autocast of its own forward."""
    if net not in _autocasting:
        return nullcontext()
    add_note("This network's forward runs under autocast, in low precision; CamViz computes it in float32.")
    return _WithoutAutocast()
