"""Forward passes that are kept, so that another score at the same layer runs only what follows the layer."""

import hashlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from ..runtime.tf32 import full_precision
from .network.calling_modes import autocast_dtype, usual_modes
from .network.fingerprint import fingerprint
from .network.quantized import is_quantized
from .rules import active_rules

PassKey = tuple[Hashable, ...]  # the network's fingerprint, the layer, and the digest and the layout of the input

CALL_BYTES = 1_000  # memory of a recorded call

# These modules compute differently if their calls are intercepted, so a recorded pass would not be a plain one.
_FAST_PATHS = (nn.MultiheadAttention, nn.TransformerEncoder, nn.TransformerEncoderLayer)
_PLAIN = (bool, int, float, str, torch.dtype, torch.device, torch.layout)  # what a call may return beside tensors


@dataclass(frozen=True)
class KeptPass:
    """The activation of a layer for one input, and the calls that lead from it to the class scores, without a graph."""

    activation: Tensor  # (1, c, h, w)
    runs: int  # of the layer in the pass
    _calls: "tuple[_Call, ...]" = field(repr=False)
    _output: int

    @property
    def nbytes(self) -> int:
        """The approximate memory, without the weights of the network, to which the calls refer."""
        return self.activation.nbytes + CALL_BYTES * len(self._calls)

    def scores(self) -> tuple[Tensor, Tensor]:
        """Return a copy of the activation and the class scores (1, K), which can be differentiated by it."""
        activation = self.activation.clone().requires_grad_()
        values = {0: activation.clone()}
        with usual_modes(), full_precision(activation.device), torch.enable_grad():
            for call in self._calls:
                leaves = [values[leaf.number] if isinstance(leaf, _Value) else leaf for leaf in call.leaves]
                args, kwargs = tree_unflatten(leaves, call.spec)
                result = call.function(*args, **kwargs)
                values.update(zip(call.results, _tensors(result) or args[:1], strict=False))
        return activation, values[self._output]


@dataclass(frozen=True)
class _Value:
    """An argument that is the tensor with this number."""

    number: int


@dataclass(frozen=True)
class _Call:
    """A recorded call: its arguments, and the numbers of its results."""

    function: Any
    spec: TreeSpec
    leaves: tuple[Any, ...]
    results: tuple[int, ...]


class PassRecorder:
    """Records the calls after a layer's last run in a forward pass; an argument of `intercepting`.

    They can be repeated if they use no other tensor from before the layer. So a layer that a skip connection bypasses
    is not recorded. A layer that most of the network follows is not recorded either.
    """

    def __init__(self, net: nn.Module) -> None:
        self._weights = {id(tensor) for tensor in (*net.parameters(), *net.buffers())}
        self._before, self._runs = 0, 0
        self._begin()

    def _begin(self) -> None:
        self._calls: list[_Call] = []
        self._numbers: dict[int, tuple[int, Tensor]] = {}  # by id(tensor); keeping the tensor keeps its id unique
        self._repeatable, self._skipped = True, 0

    def start(self, output: Tensor) -> None:
        """Begin with the tensor that the network receives as the layer's output."""
        self._before += len(self._calls) + self._skipped
        self._runs += 1
        self._begin()
        self._number(output)

    def _number(self, tensor: Tensor) -> int:
        return self._numbers.setdefault(id(tensor), (len(self._numbers), tensor))[0]

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a torch call of the pass, and record it if it depends on the layer."""
        result = func(*args, **kwargs)
        leaves, spec = tree_flatten((args, kwargs)) if self._numbers and self._repeatable else ((), None)
        if not any(id(leaf) in self._numbers for leaf in leaves):
            self._skipped += 1
            return result
        assert spec is not None
        given = tuple(self._argument(leaf) for leaf in leaves)
        results = [args[0]] if func is Tensor.__setitem__ else _tensors(result)
        self._repeatable &= (
            torch.is_grad_enabled()
            and not torch._C._is_any_autocast_enabled()
            and not any(isinstance(leaf, Tensor) and id(leaf) not in self._weights for leaf in given)
            and (bool(results) or all(isinstance(leaf, _PLAIN) for leaf in tree_leaves(result)))
        )
        if results:
            self._calls.append(_Call(func, spec, given, tuple(self._number(tensor) for tensor in results)))
        return result

    def _argument(self, leaf: Any) -> Any:
        return _Value(self._numbers[id(leaf)][0]) if id(leaf) in self._numbers else leaf

    def kept(self, activation: Tensor, scores: Tensor) -> KeptPass | None:
        """Return the pass, if it can be repeated from the layer on with the same scores to the last bit."""
        output = self._numbers.get(id(scores))
        if output is None or not self._repeatable or len(self._calls) > self._before or not is_dense(activation):
            return None
        found = KeptPass(activation.detach().clone(), self._runs, tuple(self._calls), output[0])
        with torch.no_grad():
            return found if torch.equal(found.scores()[1], scores) else None


def is_dense(tensor: Tensor) -> bool:
    """Return whether a clone of a tensor has the same memory layout."""
    return tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)


class PassStore(Protocol):
    """Keeps passes by network and key. The first two parts of a key are the state of the network and the layer."""

    def get(self, net: nn.Module, key: PassKey) -> KeptPass | None:
        """Return the pass of that key, or None."""

    def put(self, net: nn.Module, key: PassKey, found: KeptPass | None) -> None:
        """Keep a pass, or None for one that cannot be repeated."""

    def refuses(self, net: nn.Module, key: PassKey) -> bool:
        """Return whether a pass at the same layer could not be repeated."""


_open: ContextVar[PassStore | None] = ContextVar("camviz_kept_passes", default=None)


@contextmanager
def reusing_passes(passes: PassStore) -> Iterator[None]:
    """Take forward passes from `passes` inside the context, and keep new ones there. Values do not change."""
    token = _open.set(passes)
    try:
        yield
    finally:
        _open.reset(token)


def is_reusing() -> bool:
    """Return whether this thread is inside `reusing_passes`."""
    return _open.get() is not None


@dataclass(frozen=True)
class PassPlace:
    """The place of a pass in a PassStore, for one input and one layer of a network."""

    _passes: PassStore
    _net: nn.Module
    _key: PassKey

    def get(self) -> KeptPass | None:
        """Return the pass if it is kept."""
        return self._passes.get(self._net, self._key)

    def recorder(self) -> PassRecorder | None:
        """Return a recorder of the pass; None if passes of this network or layer cannot be repeated."""
        if self._passes.refuses(self._net, self._key) or is_quantized(self._net):
            return None
        if any(isinstance(module, _FAST_PATHS) for module in self._net.modules()):
            return None
        return PassRecorder(self._net)

    def put(self, found: KeptPass | None) -> None:
        """Keep a pass, or None for one that cannot be repeated."""
        self._passes.put(self._net, self._key, found)


def place_of(net: nn.Module, x: Tensor, layer: nn.Module) -> PassPlace | None:
    """Return the place of the pass of the input x; None outside `reusing_passes`.

    Only passes of one image are kept, without a backward rule, without fused weights and without autocast.
    """
    passes = _open.get()
    if passes is None or active_rules.get() is not None or autocast_dtype.get() is not None or len(x) != 1:
        return None
    content = hashlib.blake2b(x.detach().contiguous().view(torch.uint8).cpu().numpy().tobytes(), digest_size=16)
    return PassPlace(
        passes, net, (fingerprint(net), id(layer), content.digest(), x.shape, x.stride(), x.dtype, x.device)
    )


def _tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
