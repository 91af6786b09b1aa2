"""Differences between CPU and accelerators: timing, synchronization, memory, precision."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .precision import is_fast
from .progress import Progress


def is_accelerator(device: torch.device) -> bool:
    """Return whether the device computes asynchronously, with a queue that the CPU fills."""
    return device.type != "cpu"


def stopwatch(device: torch.device) -> Callable[[], float]:
    """Return a clock for estimates, in seconds; on the CPU it counts the time of this thread only."""
    if not is_accelerator(device):
        return time.thread_time

    def clock() -> float:
        synchronize(device)
        return time.perf_counter()

    return clock


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if is_accelerator(device):
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

    yield report if progress is not None and is_accelerator(device) else progress
    synchronize(device)


def fastest_format(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Return the memory layout in which the device computes convolutions of this dtype fastest.

    Tensor cores, which CUDA uses for 16 bits and in the mode "fast", read channels-last; the kernels of an accelerator
    for exact float32 are made for the plain layout.
    """
    tensor_cores = dtype in (torch.bfloat16, torch.float16) or (device.type == "cuda" and is_fast())
    if tensor_cores or not is_accelerator(device):
        return torch.channels_last
    return torch.contiguous_format


def pays_to_replace_calls(device: torch.device) -> bool:
    """Return whether faster forms of calls save more time on the device than intercepting every call costs."""
    return not is_accelerator(device)


def free_memory(device: torch.device) -> int:
    """Return the free memory of an accelerator in bytes, including memory that torch has reserved but does not use."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 if the device computes it faster than float32, else None."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return None
