"""A fingerprint by which changes of a network are found."""

from collections.abc import Hashable
from typing import Any

from torch import Tensor, nn


def fingerprint(net: nn.Module) -> int:
    """Return a number that changes when the network does: its modules, their settings and hooks, its tensors."""
    return hash(tuple((id(getattr(type(module), "forward", None)), _token(vars(module))) for module in net.modules()))


def _token(value: Any) -> Hashable:
    if isinstance(value, dict):
        # A copy, because the network may change its own attributes in another thread that runs it.
        return tuple([(key, _token(one)) for key, one in value.copy().items()]) if value else ()
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, Tensor):
        return id(value), 0 if value.is_inference() else value._version
    if isinstance(value, list | tuple | set):
        return tuple(map(_token, value))
    return id(value)
