"""Full float32 precision on NVIDIA GPUs, where torch lets convolutions round their inputs to 10 bits (TF32).

With TF32, the gradient of EfficientNet-Lite0 differs by a tenth from the CPU's: a recipe does not reproduce its map.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock

import torch
from torch.backends import cudnn

from .precision import is_fast


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Disable TF32 convolutions on a CUDA device inside the context, unless the mode is "fast"; elsewhere do nothing.

    The setting belongs to the process: the first thread that enters disables it, and the last that leaves restores it.
    Meanwhile a fast computation in another thread is exact too.
    """
    if device.type != "cuda" or is_fast():
        yield
        return
    _tf32.disable()
    try:
        yield
    finally:
        _tf32.restore()


class _Tf32:
    """The process-wide setting, and the number of contexts that need it disabled."""

    def __init__(self) -> None:
        self._lock, self._contexts = Lock(), 0
        self._restore: Callable[[], None] = lambda: None

    def disable(self) -> None:
        with self._lock:
            if not self._contexts:
                self._restore = _disable_tf32()
            self._contexts += 1

    def restore(self) -> None:
        with self._lock:
            self._contexts -= 1
            if not self._contexts:
                self._restore()


def _disable_tf32() -> Callable[[], None]:
    """Disable TF32 and return the function that restores the previous setting."""
    try:
        before = cudnn.allow_tf32
    except RuntimeError:  # the process uses torch's newer setting, and reading the older one then raises
        precision = cudnn.conv.fp32_precision  # type: ignore[attr-defined]
        cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        return partial(setattr, cudnn.conv, "fp32_precision", precision)  # type: ignore[attr-defined]
    cudnn.allow_tf32 = False
    return partial(setattr, cudnn, "allow_tf32", before)


_tf32 = _Tf32()
