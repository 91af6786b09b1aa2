"""Float32 in full on NVIDIA's cards, where torch lets convolutions round what they multiply to 10 bits (TF32).

Rounded so, a plain gradient of EfficientNet-Lite0 is a tenth away from the CPU's, and no recipe gives its map again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock

import torch
from torch.backends import cudnn

_lock = Lock()
_within = 0  # how many threads compute in full at the moment: the switch is the whole process's
_restore: Callable[[], None]


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within it convolutions on a CUDA device take float32 as it is; as they did before when the last one has left."""
    if device.type != "cuda":
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _within, _restore
    with _lock:
        if not _within:
            _restore = _switch()
        _within += 1


def _leave() -> None:
    global _within
    with _lock:
        _within -= 1
        if not _within:
            _restore()


def _switch() -> Callable[[], None]:
    """Turn the rounding off; gives what puts it back as it was."""
    try:
        before = cudnn.allow_tf32
    except RuntimeError:  # this process uses torch's newer name for it, beside which the older one raises
        chosen = cudnn.conv.fp32_precision  # type: ignore[attr-defined]
        cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        return partial(setattr, cudnn.conv, "fp32_precision", chosen)  # type: ignore[attr-defined]
    cudnn.allow_tf32 = False
    return partial(setattr, cudnn, "allow_tf32", before)
