"""Many passes in batches: their size, their precision, and a word after each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .tape import watch

Progress = Callable[[int, int], None]

LARGEST = 8
WORK = 10e9  # multiply-adds in one batch: 150 to 250 ms on two cores, so that Cancel is heard in time


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """The slices of 0..total in steps of `size`; `progress(done, total)` is called after each."""
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def batch_size(net: nn.Module, x: Tensor) -> int:
    """How many samples of x's size make a batch: by the network's work, so that it is the same every time."""
    if x.device.type != "cpu":
        return 4 * LARGEST
    return max(1, min(LARGEST, int(WORK / max(1.0, multiply_adds(net, x)))))


def multiply_adds(net: nn.Module, x: Tensor) -> float:
    """The multiply-adds of the convolutions and linear layers in one pass of one sample (found in a probe pass)."""
    total = 0.0

    def add(module: nn.Module, output: Any) -> None:
        nonlocal total
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            total += output[0].numel() * module.weight[0].numel()

    watch(net, x[:1], add)
    return total


def fast_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where the processor computes it faster than float32; elsewhere nothing changes."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
