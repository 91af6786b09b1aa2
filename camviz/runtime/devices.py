"""Differences between CPU and accelerators: timing, synchronization, memory, precision."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .progress import Progress


def stopwatch(device: torch.device) -> Callable[[], float]:
    """Return a clock for estimates, in seconds; on the CPU it counts the time of this thread only."""
    if device.type == "cpu":
        return time.thread_time

    def clock() -> float:
        synchronize(device)
        return time.perf_counter()

    return clock


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@contextmanager
def synchronized(device: torch.device, progress: Progress | None = None) -> Iterator[Progress | None]:
    """Yield a callback that reports once the device has finished the work, so that Cancel takes effect at once.

    The context ends when the device has finished all queued work.
    """

    def report(done: int, total: int) -> None:
        synchronize(device)
        if progress is not None:
            progress(done, total)

    yield progress if progress is None or device.type == "cpu" else report
    synchronize(device)


def device_memory(device: torch.device) -> int:
    """Return the memory of an accelerator, in bytes."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return int(torch.cuda.get_device_properties(device).total_memory)


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 if the device computes it faster than float32, else None."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return None
