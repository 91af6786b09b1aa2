"""Float32 in full on NVIDIA's cards, where torch lets convolutions round what they multiply to 10 bits (TF32).

Rounded so, a plain gradient of EfficientNet-Lite0 is a tenth away from the CPU's, and no recipe gives its map again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch.backends import cudnn

from .process_setting import ProcessSetting


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Within it convolutions on a CUDA device take float32 as it is."""
    return _in_full.on() if device.type == "cuda" else nullcontext()


def _turn() -> Callable[[], None]:
    try:
        before = cudnn.allow_tf32
    except RuntimeError:  # this process uses torch's newer name for it, beside which the older one raises
        chosen = cudnn.conv.fp32_precision  # type: ignore[attr-defined]
        cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        return partial(setattr, cudnn.conv, "fp32_precision", chosen)  # type: ignore[attr-defined]
    cudnn.allow_tf32 = False
    return partial(setattr, cudnn, "allow_tf32", before)


_in_full = ProcessSetting(_turn)
