"""Many passes in batches: their size, their precision, and a word after each."""

from collections.abc import Callable, Iterator

import torch

Progress = Callable[[int, int], None]

LARGEST = 8  # samples in a batch: larger ones fall out of the processor's cache
WORK = 25e9  # multiply-adds in one batch: about 250 ms on two cores, so that Cancel is heard in time


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """The slices of 0..total in steps of `size`; `progress(done, total)` is called after each."""
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def size_for(work: float, device: torch.device, largest: int = LARGEST) -> int:
    """How many samples of that many multiply-adds make a batch."""
    if device.type != "cpu":
        return 4 * largest
    return max(1, min(largest, int(WORK / max(1.0, work))))


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the processor computes it faster than float32; None elsewhere."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return None
