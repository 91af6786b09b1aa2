"""Divide many passes into batches, with a progress report after each batch."""

from collections.abc import Iterator

import torch

from .devices import free_memory, is_accelerator
from .progress import Progress

MAX_BATCH_SIZE = 8  # samples in a batch on the CPU: larger ones do not fit its cache
MAX_TENSOR_BYTES = 2**25  # of one tensor: glibc requests larger ones from the system each time
MAX_BATCH_WORK = 25e9  # multiply-adds in one batch: about 250 ms on two cores, so that Cancel takes effect soon

# A small batch leaves most of an accelerator idle, so batches there are as large as possible.
ACCELERATOR_FACTOR = 64  # samples in a batch there, for each sample in a batch on the CPU
MAX_ACCELERATOR_WORK = 1.2e12  # multiply-adds in one batch: 38 images of VGG16 with gradients
MEMORY_SHARE = 0.5  # of the free memory; the rest is for the workspace of convolutions and for other threads
TENSORS_ALIVE = 8  # tensors of the largest size that a pass without gradients holds at a time


def batches(total: int, size: int, progress: Progress | None) -> Iterator[slice]:
    """Yield slices of 0..total, as few as possible of at most `size`, equally long; report progress after each."""
    count = -(-total // size)
    for number in range(count):
        start, stop = number * total // count, (number + 1) * total // count
        yield slice(start, stop)
        if progress:
            progress(stop, total)


def batch_size(
    work: float,
    device: torch.device,
    tensor_bytes: float = 0,
    kept_bytes: float = 0,
    largest: int = MAX_BATCH_SIZE,
) -> int:
    """Return the number of samples in a batch, at most `largest` on the CPU and 64 times as many on an accelerator.

    For one sample: `work` in multiply-adds, `tensor_bytes` of its largest tensor, and `kept_bytes` of the tensors that
    are kept for a backward pass.
    """
    if is_accelerator(device):
        room = MEMORY_SHARE * free_memory(device) / max(1.0, kept_bytes + TENSORS_ALIVE * tensor_bytes)
        limits = ACCELERATOR_FACTOR * largest, MAX_ACCELERATOR_WORK / max(1.0, work), room
    else:
        limits = largest, MAX_BATCH_WORK / max(1.0, work), MAX_TENSOR_BYTES / max(1.0, tensor_bytes)
    return max(1, int(min(limits)))
