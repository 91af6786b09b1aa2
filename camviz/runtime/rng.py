"""Reproducible random tensors, identical on every device, without touching torch's global generator."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Rng:
    """A seeded generator of random tensors. They are on the CPU, so that a seed gives the same numbers everywhere."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._options: Any = {"generator": Generator(), "device": "cpu"}
        self.reset()

    def reset(self) -> None:
        """Start again with the same numbers."""
        self._options["generator"].manual_seed(self._seed)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return normally distributed numbers of mean 0 and standard deviation 1."""
        return torch.randn(shape, dtype=dtype, **self._options)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return uniformly distributed numbers in [0, 1)."""
        return torch.rand(shape, dtype=dtype, **self._options)

    def integers(self, low: int, high: int, count: int) -> Tensor:
        """Return `count` integers in low..high, both included."""
        return torch.randint(low, high + 1, (count,), **self._options)

    def permutation(self, count: int) -> Tensor:
        """Return the numbers 0..count - 1 in random order."""
        return torch.randperm(count, **self._options)


class SeededOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Make this thread's random torch operations inside the context draw from a generator seeded with `seed`.

    `torch.random.fork_rng` would replace the generator that all threads share.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            if not any(argument.name == "generator" for argument in func._schema.arguments):
                func = func.overloadpacket.generator  # torch.randn and similar operations have an overload for it
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
