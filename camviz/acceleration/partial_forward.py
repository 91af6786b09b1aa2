"""Partial forward pass: the part of a network after one layer, recorded as torch calls and run on new activations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from ..errors import CamvizError, GradientError, ModelError
from ..runtime.devices import fastest_format
from ..runtime.tf32 import full_precision
from ..tape import (
    ANY_LAYOUT,
    TO_NUMBERS,
    StartAgainError,
    forward,
    input_not_finite,
    intercepting,
    is_checked,
    is_quantized,
    mark_batches_of_one,
    near,
    needs_batches_of_one,
    replacing_output,
    usual_modes,
    value_not_finite,
)
from .many_passes import MAX_RELATIVE_ERROR


def partial_forward(net: nn.Module, x: Tensor, layer: nn.Module) -> "PartialForward":
    """Return the part of the network after `layer`, to run on other activations of one image x, (1, 3, H, W).

    The torch calls between the layer's output and the class scores are recorded and replayed. Two passes are
    recorded, with x once and with x twice: arguments that differ between them (a size in view(), a tensor from before
    the layer) depend on the batch size. The second pass is cheap: it reuses the first one's convolutions before the
    layer. Raises CamvizError if the replayed calls do not reproduce the network's scores to 1e-5 of the largest one,
    for x and for a changed activation. For a network that needs batches of one, the second pass is with x once and
    the activation halved.
    """
    refusal = ModelError(
        "this network cannot be run from this {kind} on without the layers before it", kind=type(layer).__name__
    )
    alone = needs_batches_of_one(net)
    once = _Recorder(net)
    try:
        once.run(net, x, layer)
        twice = _Recorder(net, once.below, halve_at=once.runs, alone=alone)
        twice.run(net, x if alone else x.repeat(2, 1, 1, 1), layer)
    except StartAgainError:
        return partial_forward(net, x, layer)
    except Exception as raised:
        if is_quantized(net) and isinstance(raised, RuntimeError | CamvizError):  # few operations exist for its tensors
            raise refusal from raised
        if alone or not needs_batches_of_one(net):  # unless this pass has found that it does
            raise
        return partial_forward(net, x, layer)
    if not alone and not is_checked(net) and not near(twice.scores[:1], once.scores):
        mark_batches_of_one(net)
        return partial_forward(net, x, layer)
    if [call.form for call in once.calls] != [call.form for call in twice.calls]:
        raise refusal
    output = once.number(once.scores)
    wanted = {output}
    for call, other in zip(reversed(once.calls), reversed(twice.calls), strict=True):
        call.leaves = [_batched_argument(*leaves) for leaves in zip(call.leaves, other.leaves, strict=True)]
        used = {*call.results, *(leaf.number for leaf in call.leaves if isinstance(leaf, _Value))}
        call.last, wanted = used - wanted, wanted | used
    result = PartialForward(once.activation, once.scores, once.work, alone, once.calls, output)
    try:
        error = (result(twice.activation) - twice.scores).abs().max()
    except (RuntimeError, TypeError) as raised:
        raise refusal from raised
    if not error <= MAX_RELATIVE_ERROR * twice.scores.abs().max():
        if value := value_not_finite(x):
            raise input_not_finite(value)
        raise refusal
    return result


@dataclass(frozen=True)
class PartialForward:
    """Computes class scores (n, K) from activations of the layer (n, c, h, w)."""

    activation: Tensor  # of the image, (1, c, h, w)
    scores: Tensor  # of the image, (1, K)
    work: float  # multiply-adds for one activation
    alone: bool  # whether activations are computed one by one
    _calls: "list[_Call]" = field(repr=False)
    _output: int

    def __call__(self, activations: Tensor) -> Tensor:
        if self.alone and len(activations) > 1:
            return torch.cat([self(activation) for activation in activations.chunk(len(activations))])
        layout = fastest_format(activations.device, activations.dtype)
        values = {0: activations.clone(memory_format=layout)}  # a copy, as the first call may overwrite it
        with usual_modes(), full_precision(activations.device), torch.no_grad():
            for call in self._calls:
                leaves = [
                    leaf.at(values, len(activations)) if isinstance(leaf, _Varying) else leaf for leaf in call.leaves
                ]
                args, kwargs = tree_unflatten(leaves, call.spec)
                result = call.function(*args, **kwargs)
                values.update(zip(call.results, _tensors(result), strict=False))
                for number in call.last:
                    del values[number]
        return values[self._output]


@dataclass
class _Call:
    """A recorded call: its arguments, the numbers of its results, and those of tensors that no later call reads."""

    function: Any
    spec: TreeSpec
    leaves: list[Any]
    results: list[int]
    last: set[int] = field(default_factory=set)

    @property
    def form(self) -> tuple[Any, ...]:
        return self.function, self.spec, self.results


@dataclass(frozen=True)
class _Value:
    """An argument that is the recorded tensor with this number."""

    number: int

    def at(self, values: dict[int, Tensor], batch: int) -> Tensor:
        return values[self.number]


@dataclass(frozen=True)
class _Size:
    """An integer argument that grows with the batch size."""

    first: int
    step: int

    def at(self, values: dict[int, Tensor], batch: int) -> int:
        return self.first + (batch - 1) * self.step


@dataclass(frozen=True)
class _Tiled:
    """A tensor argument from before the layer, the same for every sample of the batch."""

    tensor: Tensor
    dim: int

    def at(self, values: dict[int, Tensor], batch: int) -> Tensor:
        if self.tensor.shape[self.dim] == 1:
            return self.tensor.expand([batch if dim == self.dim else -1 for dim in range(self.tensor.ndim)])
        return self.tensor.repeat([batch if dim == self.dim else 1 for dim in range(self.tensor.ndim)])


_Varying = _Value | _Size | _Tiled


def _batched_argument(one: Any, two: Any) -> Any:
    """Return the argument that was `one` in a batch of one and `two` in a batch of two."""
    if isinstance(one, Tensor) and isinstance(two, Tensor) and one.shape != two.shape:
        return _Tiled(one, next(dim for dim, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)) if a != b))
    if type(one) is int and type(two) is int and one != two:
        return _Size(one, two - one)
    return one


class _Recorder:
    """Records every call that depends on the layer's output at its last run.

    With `halve_at`, the layer returns its first activation and half of it at that run, or the half only if `alone`: a
    tensor that depends on the layer in an unrecorded way then changes the scores. `known` are the results of the
    convolutions before the layer for one x; they are not computed again.
    """

    activation: Tensor
    scores: Tensor
    below: list[Tensor]

    def __init__(self, net: nn.Module, known: Sequence[Tensor] = (), halve_at: int = 0, alone: bool = False) -> None:
        self.fixed = {id(tensor) for tensor in (*net.parameters(), *net.buffers())}
        self.calls: list[_Call] = []
        self.numbers: dict[int, tuple[int, Tensor]] = {}  # by id(tensor); keeping the tensor keeps its id unique
        self.work = 0.0
        self.convolved: list[Tensor] = []
        self.known, self.halve_at, self.alone, self.runs = iter(known), halve_at, alone, 0

    def run(self, net: nn.Module, x: Tensor, layer: nn.Module) -> None:
        with replacing_output(layer, self.start), intercepting(self), torch.no_grad():
            self.scores = forward(net, x)
        self.convolved.clear()
        if id(self.scores) not in self.numbers:
            raise GradientError("the score does not depend on this layer")

    def start(self, output: Tensor) -> Tensor:
        self.runs += 1
        self.activation = output
        if self.runs == self.halve_at:
            self.activation = output / 2 if self.alone else torch.cat([output[:1], output[:1] / 2])
        self.calls, self.numbers, self.work, self.below = [], {}, 0.0, [*self.convolved]
        output = self.activation.clone()  # the next call may overwrite it
        self.number(output)
        return output

    def number(self, tensor: Tensor) -> int:
        return self.numbers.setdefault(id(tensor), (len(self.numbers), tensor))[0]

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is F.conv2d and (known := next(self.known, None)) is not None:
            return known.clone() if self.alone else known.repeat(2, 1, 1, 1)
        result = self._record(func, args, kwargs)
        if func is F.conv2d and not self.halve_at:
            self.convolved.append(result.clone())
        return result

    def _record(self, func: Any, args: Any, kwargs: Any) -> Any:
        leaves, spec = tree_flatten((args, kwargs))
        if not any(id(leaf) in self.numbers for leaf in leaves):
            return func(*args, **kwargs)
        if func in TO_NUMBERS:
            raise ModelError("this network decides by the values it computes, so it cannot be run from a layer on")
        recorded = [self._argument(leaf) for leaf in leaves]
        result = func(*args, **kwargs)
        results = [args[0]] if func is Tensor.__setitem__ else _tensors(result)
        for position, leaf in enumerate(leaves):
            if isinstance(recorded[position], Tensor) and any(leaf is tensor for tensor in results):
                # A tensor from before the layer is overwritten and now depends on the layer: each run needs a copy.
                recorded[position], copied = _Value(self.number(leaf)), recorded[position]
                self.calls.append(_Call(torch.clone, _ONE_ARGUMENT, [copied], [self.number(leaf)]))
        if results:
            numbers = [self.number(tensor) for tensor in results]
            self.calls.append(_Call(ANY_LAYOUT.get(func, func), spec, recorded, numbers))
        if func in (F.conv2d, F.linear) and len(args) > 1:
            self.work += result[0].numel() * args[1][0].numel()
        return result

    def _argument(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) in self.numbers:
            return _Value(self.number(leaf))
        return leaf if id(leaf) in self.fixed else leaf.clone()  # the network may overwrite it later


_ONE_ARGUMENT = tree_flatten(((None,), {}))[1]


def _tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
