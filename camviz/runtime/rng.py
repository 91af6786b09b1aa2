"""Random numbers that are the same every time, on every device, and touch no random state of the process."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Rng:
    """Draws tensors from a generator of its own. They lie on the CPU, so that a seed means the same everywhere."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._how: Any = {"generator": Generator(), "device": "cpu"}
        self.reset()

    def reset(self) -> None:
        """Begin again with the same numbers."""
        self._how["generator"].manual_seed(self._seed)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normally distributed numbers of mean 0 and deviation 1."""
        return torch.randn(shape, dtype=dtype, **self._how)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Numbers of 0..1, all alike likely."""
        return torch.rand(shape, dtype=dtype, **self._how)

    def integers(self, low: int, high: int, count: int) -> Tensor:
        """`count` whole numbers of low..high, both ends among them."""
        return torch.randint(low, high + 1, (count,), **self._how)

    def permutation(self, count: int) -> Tensor:
        """Return the numbers 0..count - 1 in random order."""
        return torch.randperm(count, **self._how)


class SeededOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it this thread's random operations draw from a generator of their own, seeded with `seed`.

    `torch.random.fork_rng` would swap the generator that all threads share.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            if not any(argument.name == "generator" for argument in func._schema.arguments):
                func = func.overloadpacket.generator  # torch.randn and its like have another form for it
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
