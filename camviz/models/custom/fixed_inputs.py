"""A wrapper for networks with several inputs: all inputs except the image are fixed."""

import inspect
from typing import Any

from torch import Tensor, nn

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FixedInputs(nn.Module):
    """A network whose inputs besides the image are fixed, so that it can be loaded and explained.

    `FixedInputs(net, age=torch.zeros(1, 3))` calls `net(image, age=...)`; the image is the first parameter of
    `net.forward` that has no fixed value. Values without a name follow the image: `FixedInputs(net, age)` calls
    `net(image, age)`. A tensor whose first size is 1 is repeated for each image of a batch.
    """

    def __init__(self, net: nn.Module, /, *values: Any, **named: Any) -> None:
        super().__init__()
        self.net = net
        self._values = [self._held(f"value{place}", value) for place, value in enumerate(values)]
        self._named = {name: self._held(f"value_{name}", value) for name, value in named.items()}
        names = [one.name for one in inspect.signature(net.forward).parameters.values() if one.kind in _NAMED]
        names = [name for name in names if name not in named] if named else []
        self._image = names[0] if names and not values else None

    def _held(self, name: str, value: Any) -> Any:
        """Keep a tensor as a buffer, which moves with the network, and return its name in a tuple."""
        if not isinstance(value, Tensor):
            return value
        self.register_buffer(name, value.detach().clone())
        return _Buffer(name)

    def extra_repr(self) -> str:
        """Return the fixed values that are no tensors, so that the digest of the network depends on them."""
        fixed = [*self._values, *self._named.items()]
        return ", ".join(repr(value) for value in fixed)

    def forward(self, image: Tensor) -> Any:
        """Return the network's output for a batch of images."""
        values = [self._value(value, len(image)) for value in self._values]
        named = {name: self._value(value, len(image)) for name, value in self._named.items()}
        return self.net(image, *values, **named) if self._image is None else self.net(**{self._image: image}, **named)

    def _value(self, value: Any, batch: int) -> Any:
        if not isinstance(value, _Buffer):
            return value
        held: Tensor = getattr(self, value)
        return held.expand(batch, *held.shape[1:]) if held.ndim and len(held) == 1 else held


class _Buffer(str):
    """The name of a buffer that holds a fixed input."""
