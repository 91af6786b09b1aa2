"""Memory that stays with the process between two batches, which the C library would give back and fetch again.

Fetching a page costs more than filling it: without this, integrated gradients of EfficientNet-Lite0 can take a fifth
longer.
"""

import ctypes
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from .process_setting import ProcessSetting

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # glibc's numbers for them, in malloc.h
WITHIN = {_TRIM_THRESHOLD: 2**30, _TOP_PAD: 2**29, _MMAP_THRESHOLD: 2**25}  # bytes
USUAL = {_TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17, _MMAP_THRESHOLD: 2**25}  # where glibc itself ends after one network


def kept_memory() -> AbstractContextManager[None]:
    """Within it memory that is free stays with the process, up to half a gigabyte; where the C library is glibc."""
    return _keeping.on() if platform.libc_ver()[0] == "glibc" else nullcontext()


def _turn() -> Callable[[], None]:
    _tell(WITHIN)
    return partial(_tell, USUAL)


def _tell(settings: Mapping[int, int]) -> None:
    library = ctypes.CDLL(None)
    for name, value in settings.items():
        library.mallopt(name, value)


_keeping = ProcessSetting(_turn)
