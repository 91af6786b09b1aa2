"""Batches of many passes: their size, and a progress report after each."""

from collections.abc import Iterator

import torch

from .devices import device_memory
from .progress import Progress

MAX_BATCH_SIZE = 8  # samples in a batch on the CPU: larger ones do not fit its cache
MAX_TENSOR_BYTES = 2**25  # of one tensor: glibc requests larger ones from the system each time
TENSORS_ON_DEVICE = 128  # tensors of the largest size that must fit on an accelerator, for a pass with gradients
MAX_BATCH_WORK = 25e9  # multiply-adds in one batch: about 250 ms on two cores, so that Cancel takes effect soon


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """Yield slices of 0..total, as few as possible of at most `size`, equally long; report progress after each."""
    count = -(-total // size)
    for number in range(count):
        start, stop = number * total // count, (number + 1) * total // count
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def batch_size(work: float, device: torch.device, room: float = 0, largest: int = MAX_BATCH_SIZE) -> int:
    """Return the samples in a batch, each of `work` multiply-adds and of `room` bytes in its largest tensor."""
    if device.type == "cpu":
        return max(1, min(largest, int(MAX_BATCH_WORK / max(1.0, work)), int(MAX_TENSOR_BYTES / max(1.0, room))))
    return max(1, min(16 * largest, int(device_memory(device) / TENSORS_ON_DEVICE / max(1.0, room))))
