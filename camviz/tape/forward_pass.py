"""Run a network in evaluation mode and return its class scores."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.export.unflatten import InterpreterModule
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode
from torchvision.ops import StochasticDepth

from ..errors import CamvizError
from ..messages import Message
from ..runtime.tf32 import full_precision
from .pass_counts import counts_in_force
from .rules import rules_in_force


def forward(net: nn.Module, x: Tensor) -> Tensor:
    """The class scores (B, K) of one pass over the batch `x`, under the backward rule in force, if any."""
    check_eval(net)
    rules = rules_in_force.get()
    if rules is not None and rules.every_step and is_compiled(net):
        raise CamvizError(
            "this network is compiled (TorchScript or torch.export), so its single steps cannot be followed, as this "
            "method needs: load it as the Python class that it was, or take another method"
        )
    if account := counts_in_force.get():
        account.forward_passes += len(x)
    plain = x.ndim != 4 or x.is_contiguous() or not _needs_plain.get(net, True)
    with full_precision(x.device), rules or nullcontext(), nullcontext() if plain else _AnyLayout(net):
        return class_scores(net(x.clone()))  # a network may begin with an operation in place


def is_compiled(net: nn.Module) -> bool:
    """Whether a network, or a part of it, runs where CamViz does not see its steps: TorchScript, torch.export."""
    return any(isinstance(module, torch.jit.ScriptModule | InterpreterModule) for module in net.modules())


def class_scores(output: Any) -> Tensor:
    """The class scores (B, K) in whatever a network returns: a tensor, a tuple, a mapping, an object with logits."""
    if isinstance(output, Mapping):
        output = next((output[key] for key in ("logits", "out") if key in output), output)
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor) or output.ndim != 2:
        came = (
            Message("shape {shape}", shape=tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
        )
        raise CamvizError(
            "the network must end in class scores of shape (batch, classes); it returned {came}", came=came
        )
    return output


# A network that calls view() on its feature maps expects them in the plain layout; reshape() takes any.
ANY_LAYOUT: dict[Any, Any] = {Tensor.view: Tensor.reshape}


# How a network looks at what it has computed, perhaps to decide by it.
TO_NUMBERS = {Tensor.item, Tensor.tolist, Tensor.numpy, Tensor.__bool__, Tensor.__int__, Tensor.__float__}


_needs_plain: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()  # whether a network ever calls view()


class _AnyLayout(TorchFunctionMode):
    """Lets a network take feature maps in any memory layout; learns from a pass whether it has to for this one."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.needed = net, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.needed |= func in ANY_LAYOUT
        return ANY_LAYOUT.get(func, func)(*args, **(kwargs or {}))

    def __exit__(self, kind: Any, *others: Any) -> None:
        super().__exit__(kind, *others)  # type: ignore[no-untyped-call]
        if kind is None:
            _needs_plain[self.net] = self.needed


def check_eval(net: nn.Module) -> None:
    """Refuse a network whose layers would act as in training: running it would change it, or give chance results."""
    for module in _in_training(net):
        drops = getattr(module, "p" if isinstance(module, _DropoutNd | StochasticDepth) else "drop_prob", 0)
        tracks = getattr(module, "track_running_stats", False)  # InstanceNorm can too
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.RReLU) or tracks or drops:
            raise CamvizError(
                "the network is in training mode ({kind}); call net.eval() first", kind=type(module).__name__
            )


def _in_training(net: nn.Module) -> Iterator[nn.Module]:
    """Its modules in training mode; quicker than net.modules(), which every pass would feel."""
    left, met = [net], {net}
    while left:
        module = left.pop()
        if module.training:
            yield module
        new = [child for child in module.children() if child not in met]
        met.update(new)
        left += new
