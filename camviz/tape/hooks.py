"""Observe or replace module outputs during a forward pass, in this thread only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from ..errors import CamvizError
from ..messages import Message
from ..runtime.progress import HEARTBEAT_SECONDS, repeat_report, seconds_since_report
from ..runtime.tf32 import full_precision
from .calling_modes import usual_modes
from .training_mode import check_eval

Observer = Callable[[nn.Module, Any], Any]


_listener: ContextVar[Observer | None] = ContextVar("camviz_listener", default=None)

autocast_seen: ContextVar[bool] = ContextVar("camviz_autocast_seen", default=False)  # by a module since it was reset


@cache
def register_once() -> None:
    """Register torch's global forward hook when it is first needed, so that importing CamViz slows no other code."""
    register_module_forward_hook(_on_forward)


def _on_forward(module: nn.Module, inputs: Any, output: Any) -> Any:
    _send_heartbeat(output)
    if torch._C._is_any_autocast_enabled():
        autocast_seen.set(True)
    see = _listener.get()
    return None if see is None else see(module, output)


def _send_heartbeat(output: Any = None) -> None:
    """Repeat the progress report if one is due; in a long pass, from the backward pass as well."""
    silent = seconds_since_report()
    if silent > HEARTBEAT_SECONDS:
        with torch._C.DisableTorchFunction():  # calls of the callback are not part of the network
            repeat_report()
    elif silent > HEARTBEAT_SECONDS / 4 and isinstance(output, Tensor) and output.requires_grad and output.is_cpu:
        output.register_hook(lambda _: _send_heartbeat())  # type: ignore[no-untyped-call]


def observe(net: nn.Module, x: Tensor, see: Callable[[nn.Module, Any], None]) -> Any:
    """Run net(x) once without gradients; `see(module, output)` is called after every module, in order of completion."""
    check_eval(net)

    def only_see(module: nn.Module, output: Any) -> None:
        see(module, output)

    with usual_modes(), listening(only_see), full_precision(x.device), torch.no_grad():
        return net(x.clone())


@contextmanager
def listening(see: Observer | None) -> Iterator[None]:
    """Call `see(module, output)` after every module that this thread runs inside the context."""
    register_once()
    token = _listener.set(see)
    try:
        yield
    finally:
        _listener.reset(token)


def is_listening() -> bool:
    """Whether modules are observed in this thread."""
    return _listener.get() is not None


def on_layer(layer: nn.Module, keep: Callable[[Tensor], Tensor]) -> Observer:
    """Return an observer that replaces the feature maps (B, c, h, w) of one layer by `keep` of them."""

    def see(module: nn.Module, output: Any) -> Any:
        if module is not layer:
            return None
        if not isinstance(output, Tensor) or output.ndim != 4:
            came = (
                Message("shape {shape}", shape=tuple(output.shape))
                if isinstance(output, Tensor)
                else type(output).__name__
            )
            raise CamvizError(
                "this method needs a layer of feature maps (batch, channels, height, width); got {came}", came=came
            )
        return keep(output)

    return see


@contextmanager
def replacing_output(layer: nn.Module, keep: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the output of `layer` by `keep(output)` inside the context; raise CamvizError if it did not run."""
    kept: list[Tensor] = []

    def see(output: Tensor) -> Tensor:
        kept[:] = [output]
        return keep(output)

    with listening(on_layer(layer, see)):
        yield
    require_reached(kept)


def require_reached(kept: list[Tensor]) -> Tensor:
    """Return the one recorded output; raise CamvizError if the forward pass did not run through the layer."""
    if not kept:
        raise CamvizError("the network's forward pass does not run through this layer")
    return kept[0]
