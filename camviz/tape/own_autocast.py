"""Networks that switch autocast on in their own forward: they are computed in float32 all the same."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .calling_modes import leave_autocast
from .network_errors import StartAgainError
from .pass_counts import add_note

_autocasting: WeakSet[nn.Module] = WeakSet()


class _Watch(TorchFunctionMode):
    """Records whether a call runs under autocast."""

    seen = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen |= torch._C._is_any_autocast_enabled()
        return func(*args, **(kwargs or {}))


class _WithoutAutocast(TorchFunctionMode):
    """Makes each call without autocast."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with ExitStack() as modes:
            leave_autocast(modes)
            return func(*args, **(kwargs or {}))


def find_autocast(net: nn.Module, run: Callable[[], Tensor]) -> None:
    """Raise StartAgainError if `run`, a plain pass, meets autocast for the first time."""
    if net in _autocasting:
        return
    watch = _Watch()
    with suppress(Exception), watch, torch.no_grad():
        run()
    if watch.seen:
        _autocasting.add(net)
        raise StartAgainError("this network's forward runs under autocast; call it again")


def copy_autocast(net: nn.Module, other: nn.Module) -> None:
    """Let a copy of a network run without its autocast if the network does."""
    if net in _autocasting:
        _autocasting.add(other)


def without_autocast(net: nn.Module) -> AbstractContextManager[Any]:
    """Return the context in which a network runs without the autocast of its own forward."""
    if net not in _autocasting:
        return nullcontext()
    add_note("This network's forward runs under autocast, in few digits; CamViz computes it in float32.")
    return _WithoutAutocast()
