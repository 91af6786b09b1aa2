"""The part of a network above one layer, recorded call by call, to be run on other activations of that layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from ..errors import CamvizError
from ..runtime.tf32 import full_precision
from ..tape import ANY_LAYOUT, TO_NUMBERS, forward, intercepting, replacing_output


def partial_forward(net: nn.Module, x: Tensor, layer: nn.Module) -> "PartialForward":
    """What lies above `layer`, ready to run on other activations of the one picture x, (1, 3, H, W).

    The torch calls between the layer's output and the class scores are recorded, then made again. Two passes are
    recorded, of x once and of x twice: what differs between them (a size in view(), a tensor from below the layer)
    follows the batch. The second costs little, as it has the convolutions below the layer from the first. Raises
    CamvizError where the calls made again do not give the network's own scores, for activations it was given too.
    """
    once = _Recorder(net)
    once.run(net, x, layer)
    twice = _Recorder(net, once.below, halve_at=once.runs)
    twice.run(net, x.repeat(2, 1, 1, 1), layer)
    refusal = CamvizError(
        "this network cannot be run from this {kind} on without what lies below it", kind=type(layer).__name__
    )
    if [call.form for call in once.calls] != [call.form for call in twice.calls]:
        raise refusal
    output = once.number(once.scores)
    wanted = {output}
    for call, other in zip(reversed(once.calls), reversed(twice.calls), strict=True):
        call.leaves = [_following(*leaves) for leaves in zip(call.leaves, other.leaves, strict=True)]
        used = {*call.results, *(leaf.number for leaf in call.leaves if isinstance(leaf, _Value))}
        call.last, wanted = used - wanted, wanted | used
    result = PartialForward(once.activation, once.scores, once.work, once.calls, output)
    try:
        error = (result(twice.activation) - twice.scores).abs().max()
    except (RuntimeError, TypeError) as raised:
        raise refusal from raised
    if not error <= 1e-3 * twice.scores.abs().max():
        raise refusal
    return result


@dataclass(frozen=True)
class PartialForward:
    """Takes activations of the layer (n, c, h, w) to class scores (n, K)."""

    activation: Tensor  # of the picture itself, (1, c, h, w)
    scores: Tensor  # of the picture itself, (1, K)
    work: float  # multiply-adds for one activation
    _calls: "list[_Call]" = field(repr=False)
    _output: int

    def __call__(self, activations: Tensor) -> Tensor:
        # A copy, as the first call may overwrite it; channels-last, as that is the quickest for a batch.
        values = {0: activations.clone(memory_format=torch.channels_last)}
        with full_precision(activations.device), torch.no_grad():
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
    """One call: its arguments, the numbers of the tensors it gives, and of those that nothing needs after it."""

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
    """An argument that is the tensor of that number."""

    number: int

    def at(self, values: dict[int, Tensor], batch: int) -> Tensor:
        return values[self.number]


@dataclass(frozen=True)
class _Size:
    """An argument that is a whole number which grows with the batch."""

    first: int
    step: int

    def at(self, values: dict[int, Tensor], batch: int) -> int:
        return self.first + (batch - 1) * self.step


@dataclass(frozen=True)
class _Tiled:
    """An argument from below the layer, which is the same for every sample of the batch."""

    tensor: Tensor
    dim: int

    def at(self, values: dict[int, Tensor], batch: int) -> Tensor:
        if self.tensor.shape[self.dim] == 1:
            return self.tensor.expand([batch if dim == self.dim else -1 for dim in range(self.tensor.ndim)])
        return self.tensor.repeat([batch if dim == self.dim else 1 for dim in range(self.tensor.ndim)])


_Varying = _Value | _Size | _Tiled


def _following(one: Any, two: Any) -> Any:
    """The argument that was `one` in a batch of one, and `two` in a batch of two."""
    if isinstance(one, Tensor) and isinstance(two, Tensor) and one.shape != two.shape:
        return _Tiled(one, next(dim for dim, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)) if a != b))
    if type(one) is int and type(two) is int and one != two:
        return _Size(one, two - one)
    return one


class _Recorder:
    """Notes down every call that depends on the layer's output at its last run.

    With `halve_at`, at that run the layer gives its first activation and half of it, so that a tensor which depends
    on the layer in a way that is not recorded shows. `known` are the results of the convolutions below, for one x of
    the two: they need not be computed again.
    """

    activation: Tensor
    scores: Tensor
    below: list[Tensor]

    def __init__(self, net: nn.Module, known: Sequence[Tensor] = (), halve_at: int = 0) -> None:
        self.fixed = {id(tensor) for tensor in (*net.parameters(), *net.buffers())}
        self.calls: list[_Call] = []
        self.numbers: dict[int, tuple[int, Tensor]] = {}  # by id(tensor), which stays the tensor's own while it is kept
        self.work = 0.0
        self.convolved: list[Tensor] = []
        self.known, self.halve_at, self.runs = iter(known), halve_at, 0

    def run(self, net: nn.Module, x: Tensor, layer: nn.Module) -> None:
        with replacing_output(layer, self.start), intercepting(self), torch.no_grad():
            self.scores = forward(net, x)
        self.convolved.clear()
        if id(self.scores) not in self.numbers:
            raise CamvizError("the score does not depend on this layer")

    def start(self, output: Tensor) -> Tensor:
        self.runs += 1
        self.activation = torch.cat([output[:1], output[:1] / 2]) if self.runs == self.halve_at else output
        self.calls, self.numbers, self.work, self.below = [], {}, 0.0, [*self.convolved]
        flows = self.activation.clone()  # what follows may overwrite it
        self.number(flows)
        return flows

    def number(self, tensor: Tensor) -> int:
        return self.numbers.setdefault(id(tensor), (len(self.numbers), tensor))[0]

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is F.conv2d and (known := next(self.known, None)) is not None:
            return known.repeat(2, 1, 1, 1)
        result = self._noting(func, args, kwargs)
        if func is F.conv2d and not self.halve_at:
            self.convolved.append(result.clone())
        return result

    def _noting(self, func: Any, args: Any, kwargs: Any) -> Any:
        leaves, spec = tree_flatten((args, kwargs))
        if not any(id(leaf) in self.numbers for leaf in leaves):
            return func(*args, **kwargs)
        if func in TO_NUMBERS:
            raise CamvizError("this network decides by the values it computes, so it cannot be run from a layer on")
        noted = [self._noted(leaf) for leaf in leaves]
        result = func(*args, **kwargs)
        results = [args[0]] if func is Tensor.__setitem__ else _tensors(result)
        for position, leaf in enumerate(leaves):
            if isinstance(noted[position], Tensor) and any(leaf is tensor for tensor in results):
                # Comes from below and is overwritten here: from now on it depends on the layer; each run has its copy.
                noted[position], copied = _Value(self.number(leaf)), noted[position]
                self.calls.append(_Call(torch.clone, _ONE_ARGUMENT, [copied], [self.number(leaf)]))
        if results:
            numbers = [self.number(tensor) for tensor in results]
            self.calls.append(_Call(ANY_LAYOUT.get(func, func), spec, noted, numbers))
        if func in (F.conv2d, F.linear) and len(args) > 1:
            self.work += result[0].numel() * args[1][0].numel()
        return result

    def _noted(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) in self.numbers:
            return _Value(self.number(leaf))
        return leaf if id(leaf) in self.fixed else leaf.clone()  # the network may overwrite it later


_ONE_ARGUMENT = tree_flatten(((None,), {}))[1]


def _tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
