"""Copy networks, including those that copy.deepcopy refuses."""

import copy
from collections import deque
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn
from torch.nn.utils import prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ...errors import ModelError
from ...tape import (
    copy_autocast,
    is_checked,
    mark_batches_of_one,
    needs_batches_of_one,
    reading_of,
    set_reading,
)

REFUSALS = (Exception,)  # a network's own __deepcopy__ or __reduce__ may raise anything


def copied(net: nn.Module, *, shares_tensors: bool = False) -> nn.Module:
    """Return a copy of a network, which is only read. Raises CamvizError if it cannot be copied.

    Computed tensors, such as cached activations and the weight of a pruned layer, are copied without their graph.
    Objects that cannot be copied, such as locks, generators and open files, are shared with the copy. With
    `shares_tensors`, parameters and buffers are shared too, for copies whose modules are replaced and whose tensors are
    never changed.
    """
    shared = [*net.parameters(), *net.buffers()] if shares_tensors else []
    try:
        copy_of_it = _deep_copy(net, {id(tensor): tensor for tensor in shared})
    except REFUSALS as error:
        raise ModelError(
            "this {kind} cannot be copied, so it cannot be loaded ({error}): delete its attributes that are neither "
            "modules nor tensors before you load it, or load its state dict into a new network of its class",
            kind=type(net).__name__,
            error=(str(error) or type(error).__name__).splitlines()[0],
        ) from error
    _origins[copy_of_it] = ref(net)
    copy_autocast(net, copy_of_it)
    if is_checked(net):
        mark_batches_of_one(copy_of_it, needs_batches_of_one(net))
    if reading := reading_of(net):
        set_reading(copy_of_it, reading)
    return copy_of_it


_origins: WeakKeyDictionary[nn.Module, "ref[nn.Module]"] = WeakKeyDictionary()


def origin_of(net: nn.Module) -> nn.Module | None:
    """Return the network that this one is a copy of; None if it no longer exists."""
    return _origins[net]() if net in _origins else None


def _deep_copy(net: nn.Module, shared: dict[int, Any]) -> nn.Module:
    try:
        return copy.deepcopy(net, dict(shared))
    except REFUSALS:
        memo = dict(shared)
        _prepare(net, memo, set())
        return copy.deepcopy(net, memo)


def _prepare(value: Any, memo: dict[int, Any], seen: set[int]) -> None:
    """Add to the memo of deepcopy a copy of each part of a value that deepcopy refuses."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        if not value.is_leaf and id(value) not in memo:
            memo[id(value)] = value.detach().clone()
        return
    parts = _parts(value)
    for part in parts:
        _prepare(part, memo, seen)
    if isinstance(value, nn.Module):
        return
    try:
        if parts:
            value.__reduce_ex__(4)
        else:
            copy.deepcopy(value)
    except REFUSALS:
        memo[id(value)] = value


def _parts(value: Any) -> list[Any]:
    """Return the parts of a value that deepcopy copies one by one; [] for a value that it copies as a whole."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [*value]
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    own_copy = hasattr(value, "__deepcopy__") or getattr(type(value), "__reduce__", None) != object.__reduce__
    if isinstance(value, type | FunctionType | ModuleType) or (own_copy and not isinstance(value, nn.Module)):
        return []
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
    held = [getattr(value, name) for name in slots if name != "__dict__"]
    return held + list(getattr(value, "__dict__", {}).values())


def bake_weights(net: nn.Module) -> None:
    """Replace weights that are computed before each pass (pruning, old weight and spectral norm) by their values.

    Changes the network: call it on a copy.
    """
    for module in net.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
            elif isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                with torch.no_grad():
                    remove_spectral_norm(module, hook.name)
