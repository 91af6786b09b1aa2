"""Reproducible random tensors, identical on every device, without touching torch's global generator."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack


class Rng:
    """A seeded generator of random tensors on the CPU, so that a seed gives the same numbers for every device."""

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


@cache
def _with_generator(func: Any) -> Any:
    """Return the variant of a torch operation that takes a generator besides the same arguments, or None."""
    names = [argument.name for argument in func._schema.arguments]
    if "generator" in names:
        return func
    for overload in func.overloadpacket.overloads():
        variant = getattr(func.overloadpacket, overload)
        given = [argument.name for argument in variant._schema.arguments]
        if "generator" in given and [name for name in given if name != "generator"] == names:
            return variant
    return None


class SeededOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Make this thread's random torch operations inside the context draw from a generator seeded with `seed`.

    `torch.random.fork_rng` would replace the generator that all threads share.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed, self.drawn = seed, 0  # number of random operations so far
        self._generators: dict[str, Generator] = {}  # by type of device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        given = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)} | kwargs
        self.drawn += given.get("dropout_p", 1) != 0  # attention without dropout draws nothing
        if kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        source = next((one for one in args if isinstance(one, Tensor)), None)
        generator = self._generator(kwargs.get("device") or (source.device if source is not None else "cpu"))
        if func is torch.ops.aten.native_dropout.default and source is not None:  # it takes no generator
            share = float(args[1])
            kept = torch.rand(source.shape, generator=generator, device=source.device) >= share
            return (source * kept / (1 - share) if share < 1 else torch.zeros_like(source)), kept
        seeded = _with_generator(func)
        return func(*args, **kwargs) if seeded is None else seeded(*args, **kwargs | {"generator": generator})

    @classmethod
    def apart(cls) -> AbstractContextManager[Any]:
        """Return a context that draws from another generator if it is nested in this class; else it does nothing."""
        inside = any(isinstance(mode, cls) for mode in _get_current_dispatch_mode_stack())
        return cls() if inside else nullcontext()

    def _generator(self, device: torch.device | str) -> Generator:
        kind = torch.device(device).type
        if kind not in self._generators:
            self._generators[kind] = Generator(kind).manual_seed(self._seed)
        return self._generators[kind]
