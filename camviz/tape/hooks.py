"""Observe or replace module outputs during a forward pass, in this thread only."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode

from ..errors import LayerError
from ..messages import Message
from ..runtime.progress import HEARTBEAT_SECONDS, has_heartbeat, repeat_report, seconds_since_report
from ..runtime.tf32 import full_precision
from .network.calling_modes import usual_modes
from .network.training_mode import check_eval

Observer = Callable[[nn.Module, Any], Any]


_listener: ContextVar[Observer | None] = ContextVar("camviz_listener", default=None)

autocast_seen: ContextVar[bool] = ContextVar("camviz_autocast_seen", default=False)  # set by a module under autocast


@cache
def register_once() -> None:
    """Register torch's global forward hook when it is first needed, so that importing CamViz slows no other code."""
    register_module_forward_hook(_on_forward)


def _on_forward(module: nn.Module, inputs: Any, output: Any) -> Any:
    if has_heartbeat():
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
        try:
            with without_own_hooks(net):
                return net(x.clone())
        except RuntimeError as error:
            if not find_own_hooks(net, error):
                raise
        return observe(net, x, see)


class _WithoutOwnHooks(TorchFunctionMode):
    """Ignores hooks of a network's forward on tensors without a gradient, for which torch raises an error."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.register_hook, Tensor.retain_grad) and not args[0].requires_grad:
            return None
        return func(*args, **(kwargs or {}))


_REFUSED_HOOKS = ("cannot register a hook on a tensor", "can't retain_grad on Tensor")
_hooking: WeakSet[nn.Module] = WeakSet()


def without_own_hooks(net: nn.Module) -> AbstractContextManager[Any]:
    """Return the context of a pass: it ignores hooks on tensors without a gradient if the network registers any."""
    return _WithoutOwnHooks() if net in _hooking else nullcontext()


def find_own_hooks(net: nn.Module, error: Exception) -> bool:
    """Return whether a pass failed for the first time because the network's forward registers hooks on tensors."""
    found = str(error.__cause__ or error).startswith(_REFUSED_HOOKS) and net not in _hooking
    if found:
        _hooking.add(net)
    return found


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
    """Return whether modules are observed in this thread."""
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
            raise LayerError(
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


@contextmanager
def changing_gradient(layer: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the gradient (B, c, h, w) at `layer` by `change(gradient)` in backward passes inside the context."""

    def keep(output: Tensor) -> Tensor:
        if output.requires_grad:
            output.register_hook(change)  # type: ignore[no-untyped-call]  # of this pass only
        return output.clone()  # the next call may overwrite it

    with replacing_output(layer, keep):
        yield


def require_reached(kept: list[Tensor]) -> Tensor:
    """Return the one recorded output; raise CamvizError if the forward pass did not run through the layer."""
    if not kept:
        raise LayerError("the network's forward pass does not run through this layer")
    return kept[0]
