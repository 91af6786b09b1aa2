"""Random initial weights that are the same every time and touch no random state of the process."""

from typing import Any

import torch
from torch import Generator
from torch.utils._python_dispatch import TorchDispatchMode


class OwnChance(TorchDispatchMode):  # type: ignore[no-untyped-call]
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
