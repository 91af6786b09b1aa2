"""Steps of a forward pass whose backward pass distributes relevance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..tape import norm_arguments, scale_and_shift
from .rules import Op, RelevanceRule

Back = Callable[..., tuple[Tensor, ...]]


class RelevanceFunction(torch.autograd.Function):
    """A computed value whose backward pass gives `back(relevance, *kept)` to `inputs`."""

    @staticmethod
    def forward(ctx: Any, value: list[Tensor], back: Back, kept: Sequence[Tensor], *inputs: Tensor) -> Any:
        ctx.back = back
        ctx.save_for_backward(*kept)
        return value[0]

    @staticmethod
    def backward(ctx: Any, *relevances: Any) -> Any:
        return None, None, None, *ctx.back(relevances[0], *ctx.saved_tensors)


@dataclass
class Affine:
    """A convolution or linear layer; a batch norm that runs after it is fused into it."""

    op: Op
    rule: RelevanceRule
    weight: Tensor
    bias: Tensor | None
    fused: bool = False

    def __call__(self, relevance: Tensor, x: Tensor) -> tuple[Tensor]:
        return (self.rule(self.op, x, self.weight, self.bias, relevance),)

    def fuse(self, *args: Any, **kwargs: Any) -> None:
        """Fuse the scale and shift of a call F.batch_norm(*args, **kwargs), unless one is fused already."""
        _, *norm = norm_arguments(*args, **kwargs)
        if norm[4] or self.fused:  # in training
            return
        scale, shift = scale_and_shift(*norm)
        self.weight = self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        self.bias = shift + (0 if self.bias is None else self.bias * scale)
        self.fused = True


@dataclass
class EqualShares:
    """Passes relevance on in equal shares to its inputs; for an input that was broadcast, the shares are summed."""

    shapes: Sequence[torch.Size]
    gate: bool = False

    def __call__(self, relevance: Tensor) -> tuple[Tensor, ...]:
        part = relevance if len(self.shapes) == 1 else relevance / len(self.shapes)
        return tuple(part.sum_to_size(shape) for shape in self.shapes)


def ruled_step(value: Tensor, back: Back, kept: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
    """Return a computed value whose backward pass gives `back(relevance, *kept)` to the inputs."""
    result: Tensor = RelevanceFunction.apply([value], back, kept, *inputs)
    return result


def passed_on(
    func: Any, args: Any, kwargs: Any, inputs: Sequence[Any], gate: bool = False, keeps_gate: bool = False
) -> Tensor | None:
    """Return the result of a call that passes relevance to the `inputs` that depend on the image; None if none does.

    With `keeps_gate`, the result of one gate is a gate too.
    """
    inputs = [value for value in inputs if depends(value)]
    if not inputs:
        return None
    gate = gate or (keeps_gate and len(inputs) == 1 and is_gate(inputs[0]))
    value, in_place = computed(func, args, kwargs)
    result = ruled_step(value, EqualShares([x.shape for x in inputs], gate), (), inputs)
    return args[0].copy_(result) if in_place else result


def computed(func: Any, args: Any, kwargs: Any) -> tuple[Tensor, bool]:
    """Return the value of a call without overwriting anything, and whether the call is in place."""
    with torch.no_grad():
        first = args[0].clone() if isinstance(args[0], Tensor) else args[0]
        value = func(first, *args[1:], **kwargs)
    return value, value is first


def constant(value: Any) -> Any:
    """Return a parameter without its gradient, and any other value unchanged."""
    return value.detach() if isinstance(value, nn.Parameter) else value


def depends(value: Any) -> bool:
    """Return whether a value depends on the image: parameters are constants."""
    return isinstance(value, Tensor) and value.requires_grad


def is_gate(x: Tensor) -> bool:
    """Return whether the last call with a rule before x, apart from views and copies, was a sigmoid or similar."""
    node: Any = x.grad_fn
    while node is not None and not hasattr(node, "back"):
        node = node.next_functions[-1][0] if node.next_functions else None
    return isinstance(getattr(node, "back", None), EqualShares) and bool(node.back.gate)
