"""Many passes in batches: their size, their precision, and a word after each."""

import time
from collections.abc import Callable, Iterator

import torch

from .pulse import Progress as Progress

LARGEST = 8  # samples in a batch: larger ones fall out of the processor's cache
ROOM = 2**25  # bytes of one tensor: for larger ones the C library asks the system for new memory every time
TENSORS = 128  # so many of the largest tensor must fit on an accelerator: a pass with gradients keeps most of them
WORK = 25e9  # multiply-adds in one batch: about 250 ms on two cores, so that Cancel is heard in time


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """0..total in as few slices of at most `size` as there can be, all alike; `progress(done, total)` after each."""
    count = -(-total // size)
    for number in range(count):
        start, stop = number * total // count, (number + 1) * total // count
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def size_for(work: float, device: torch.device, room: float = 0, largest: int = LARGEST) -> int:
    """How many samples make a batch, of that many multiply-adds each and that many bytes in their largest tensor."""
    if device.type == "cpu":
        return max(1, min(largest, int(WORK / max(1.0, work)), int(ROOM / max(1.0, room))))
    return max(1, min(16 * largest, int(_memory(device) / TENSORS / max(1.0, room))))


def stopwatch(device: torch.device) -> Callable[[], float]:
    """A clock for estimates: on the CPU it counts what this thread works, not what the machine does for others."""
    if device.type == "cpu":
        return time.thread_time

    def clock() -> float:
        wait_for(device)
        return time.perf_counter()

    return clock


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was told; an accelerator lets us go on meanwhile, the CPU does not."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def punctual(progress: Progress | None, device: torch.device) -> Progress | None:
    """The same progress, told only when the device has come as far, so that there is no queue left to cancel."""
    if progress is None or device.type == "cpu":
        return progress

    def told(done: int, total: int) -> None:
        wait_for(device)
        progress(done, total)

    return told


def _memory(device: torch.device) -> int:
    """The bytes that tensors on an accelerator may take."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return int(torch.cuda.get_device_properties(device).total_memory)


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the processor computes it faster than float32; None elsewhere."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return None
