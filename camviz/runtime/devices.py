"""What differs between CPU and accelerators: timing, synchronization, memory, precision."""

import time
from collections.abc import Callable

import torch

from .progress import Progress


def stopwatch(device: torch.device) -> Callable[[], float]:
    """A clock for estimates: on the CPU it counts what this thread works, not what the machine does for others."""
    if device.type == "cpu":
        return time.thread_time

    def clock() -> float:
        synchronize(device)
        return time.perf_counter()

    return clock


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told; an accelerator lets us go on meanwhile, the CPU does not."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def synchronized_progress(progress: Progress | None, device: torch.device) -> Progress | None:
    """The same progress, told only when the device has come as far, so that there is no queue left to cancel."""
    if progress is None or device.type == "cpu":
        return progress

    def told(done: int, total: int) -> None:
        synchronize(device)
        progress(done, total)

    return told


def device_memory(device: torch.device) -> int:
    """The bytes that tensors on an accelerator may take."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return int(torch.cuda.get_device_properties(device).total_memory)


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the processor computes it faster than float32; None elsewhere."""
    if device.type == "cuda" or (device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)):
        return torch.bfloat16
    return None
