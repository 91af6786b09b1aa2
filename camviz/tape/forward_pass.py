"""Run a network in evaluation mode and return its class scores."""

from contextlib import nullcontext, suppress
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.export.unflatten import InterpreterModule
from torch.overrides import TorchFunctionMode

from ..errors import MethodError, OutputError
from ..messages import Message
from ..runtime.progress import raised_by_progress
from ..runtime.tf32 import full_precision
from .hooks import autocast_seen, find_own_hooks, is_listening, listening, register_once, without_own_hooks
from .network.batches_of_one import fails_in_batches, mark_batches_of_one, needs_batches_of_one
from .network.calling_modes import autocast_dtype, find_autocast, usual_modes, without_autocast
from .network.errors import StartAgainError, network_errors
from .network.not_finite import check_scores
from .network.output import LastSteps, OutputReading, choose, class_scores, last_steps, reading_of, set_reading
from .network.training_mode import check_eval
from .pass_counts import active_counts
from .rules import CallMode, active_rules


def forward(net: nn.Module, x: Tensor) -> Tensor:
    """Return the class scores (B, K) of the batch `x`, with the active backward rule, if any.

    A network that needs batches of one gets the samples one by one, unless a layer is recorded. Raises CamvizError if
    a score is nan or inf.
    """
    check_eval(net)
    rules = active_rules.get()
    every_step = rules is not None and rules.every_step
    if every_step and is_compiled(net):
        raise MethodError(
            "this network is compiled (TorchScript or torch.export), so this method cannot follow its single steps: "
            "load the network from its Python class, or use another method"
        )
    batch, divisible = len(x) > 1, not every_step and not is_listening()
    with usual_modes():
        if batch and divisible and needs_batches_of_one(net):
            return torch.cat([forward(net, one) for one in x.chunk(len(x))])
        if counts := active_counts.get():
            counts.forward_passes += len(x)
        try:
            register_once()
            autocast_seen.set(False)
            with network_errors(Message("forward pass of {kind}", kind=type(net).__name__), x):
                scores = _pass(net, x, rules)
            if (autocast_seen.get() or scores.dtype != x.dtype) and autocast_dtype.get() is None:
                find_autocast(net, lambda: _plain_pass(net, x))
        except StartAgainError:
            if divisible:
                return forward(net, x)
            raise
        except Exception as error:
            if raised_by_progress(error):
                raise
            if find_own_hooks(net, error):
                if divisible:
                    return forward(net, x)
                raise StartAgainError from error
            if autocast_dtype.get() is None:
                try:
                    find_autocast(net, lambda: _plain_pass(net, x))
                except StartAgainError:
                    if divisible:
                        return forward(net, x)
                    raise
            if batch and not needs_batches_of_one(net) and fails_in_batches(lambda some: _plain_pass(net, some), x):
                mark_batches_of_one(net)
                if counts:
                    counts.forward_passes -= len(x)
                if divisible:
                    return forward(net, x)
            raise
        check_scores(net, x, scores, lambda: _pass(net, x, None))
    return scores if autocast_dtype.get() is None else scores.to(x.dtype)


def _pass(net: nn.Module, x: Tensor, rules: CallMode | None) -> Tensor:
    unchanged = x.ndim != 4 or x.is_contiguous() or not _needs_contiguous.get(net, True)
    reduced = autocast_dtype.get()
    reading = reading_of(net)
    with (
        full_precision(x.device),
        nullcontext() if reduced else without_autocast(net),
        rules or nullcontext(),
        last_steps(reading) as steps,  # entered last, because it must see the results of rules
        nullcontext() if unchanged else _AnyLayout(net),
        torch.autocast(x.device.type, reduced) if reduced else nullcontext(),
        without_own_hooks(net),
    ):
        output = net(x.clone())  # its first operation may be in place
        if reading is not None or isinstance(output, Tensor):
            scores = class_scores(output, reading, steps, len(x))
    if reading is None and not isinstance(output, Tensor):
        with listening(None):
            set_reading(net, OutputReading(_chosen(net, x)))
        raise StartAgainError("the class scores among this network's outputs are known from now on")
    if len(scores) != len(x):
        raise OutputError(
            "the network returned class scores for {returned} images; it was given {given}",
            returned=len(scores),
            given=len(x),
        )
    return scores


def _chosen(net: nn.Module, x: Tensor) -> tuple[int | str, ...]:
    """Return the path to the class scores. With two images, a loss does not have the shape of a score."""
    if len(x) == 1:
        with suppress(Exception):  # a network that accepts only one image may raise anything
            outputs, _ = raw_output(net, torch.cat([x, x]))
            return choose(outputs, batch=2)
    return choose(raw_output(net, x)[0], batch=len(x))


def _plain_pass(net: nn.Module, x: Tensor) -> Tensor:
    """Return the class scores without a rule, and without progress reports."""
    with listening(None):
        return _pass(net, x, None)


def is_compiled(net: nn.Module) -> bool:
    """Return whether a part of the network is TorchScript or from torch.export. Its calls cannot be intercepted."""
    return any(isinstance(module, torch.jit.ScriptModule | InterpreterModule) for module in net.modules())


def raw_output(net: nn.Module, x: Tensor) -> tuple[Any, LastSteps]:
    """Return the whole output of a network for the batch x, with its graph, and the last steps of the pass."""
    check_eval(net)
    with usual_modes(), torch.enable_grad(), full_precision(x.device), LastSteps() as steps:
        return net(x.detach().requires_grad_().clone()), steps


# A network that calls view() on its feature maps needs them contiguous; reshape() accepts any layout.
ANY_LAYOUT: dict[Any, Any] = {Tensor.view: Tensor.reshape}


# Calls by which a network reads computed values, perhaps for a branch.
TO_NUMBERS = {Tensor.item, Tensor.tolist, Tensor.numpy, Tensor.__bool__, Tensor.__int__, Tensor.__float__}


_needs_contiguous: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()  # whether a network calls view()


class _AnyLayout(TorchFunctionMode):
    """Replaces view() by reshape(), and records whether the network calls it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.needed = net, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.needed |= func in ANY_LAYOUT
        return ANY_LAYOUT.get(func, func)(*args, **(kwargs or {}))

    def __exit__(self, kind: Any, *others: Any) -> None:
        super().__exit__(kind, *others)  # type: ignore[no-untyped-call]
        if kind is None:
            _needs_contiguous[self.net] = self.needed
