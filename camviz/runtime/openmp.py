"""Make waiting OpenMP threads sleep, so that they leave the processors to other processes.

PyTorch divides each operation among the threads of OpenMP, and each operation ends when the last thread has done its
part. By default the other threads wait in a busy loop. If another process uses the processors too, this loop takes
processor time from the last thread, and a computation becomes ten to a hundred times slower.
"""

import os
import sys
from collections.abc import MutableMapping
from importlib import import_module
from threading import Event, Thread

# Every implementation of OpenMP reads WAIT_POLICY when PyTorch loads it. The others are specific to GNU's and Intel's.
WAIT_POLICY = "OMP_WAIT_POLICY"
SETTINGS = (WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")

ELEMENTS_PER_THREAD = 2**15  # of a tensor that PyTorch divides among its threads


def set_wait_policy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make waiting threads sleep, unless the environment has a setting for it. Child processes inherit it."""
    if any(name in environment for name in SETTINGS):
        return
    environment[WAIT_POLICY] = "passive"
    if "torch" in sys.modules and sys.platform == "linux":  # OpenMP has read the environment already
        _exceed_processors(len(os.sched_getaffinity(0)), import_module("torch").get_num_threads())


def _exceed_processors(processors: int, threads: int) -> None:
    """Start more OpenMP threads than there are processors: GNU's loop then ends after two microseconds.

    Each Python thread that runs an operation has a team of `threads` threads, itself included. The teams started here
    sleep.
    """
    for _ in range((processors - threads) // (threads - 1) + 1 if threads > 1 else 0):
        Thread(target=_keep_team, args=(threads,), name="camviz openmp", daemon=True).start()


def _keep_team(threads: int) -> None:
    import_module("torch").ones(ELEMENTS_PER_THREAD * threads, device="cpu")
    Event().wait()
