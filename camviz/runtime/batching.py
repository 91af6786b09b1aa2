"""Many passes in batches: their size, their precision, and a word after each."""

from collections.abc import Iterator

import torch

from .devices import device_memory
from .progress import Progress

MAX_BATCH_SIZE = 8  # samples in a batch: larger ones fall out of the processor's cache
MAX_TENSOR_BYTES = 2**25  # bytes of one tensor: for larger ones the C library asks the system for new memory every time
TENSORS_ON_DEVICE = (
    128  # so many of the largest tensor must fit on an accelerator: a pass with gradients keeps most of them
)
MAX_BATCH_WORK = 25e9  # multiply-adds in one batch: about 250 ms on two cores, so that Cancel is heard in time


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """0..total in as few slices of at most `size` as there can be, all alike; `progress(done, total)` after each."""
    count = -(-total // size)
    for number in range(count):
        start, stop = number * total // count, (number + 1) * total // count
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def batch_size(work: float, device: torch.device, room: float = 0, largest: int = MAX_BATCH_SIZE) -> int:
    """How many samples make a batch, of that many multiply-adds each and that many bytes in their largest tensor."""
    if device.type == "cpu":
        return max(1, min(largest, int(MAX_BATCH_WORK / max(1.0, work)), int(MAX_TENSOR_BYTES / max(1.0, room))))
    return max(1, min(16 * largest, int(device_memory(device) / TENSORS_ON_DEVICE / max(1.0, room))))
