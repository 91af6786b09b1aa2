"""How the threads of one computation wait for one another: they sleep, and leave the processors to other processes.

PyTorch divides each operation among the threads of OpenMP, and each operation ends when the last thread has done its
part. By default the others wait in a loop. Where another process uses the processors too, such a loop takes the time
that the last thread needs, and a computation becomes ten to a hundred times as slow.
"""

import os
import sys
from collections.abc import MutableMapping
from importlib import import_module
from threading import Event, Thread

# Each implementation of OpenMP reads the first one, when PyTorch loads it; GNU's and Intel's have one of their own too.
WAIT_POLICY = "OMP_WAIT_POLICY"
SETTINGS = (WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")

ELEMENTS_PER_THREAD = 2**15  # of a tensor that PyTorch divides among its threads


def set_wait_policy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let waiting threads sleep, unless the environment already says how they wait. Child processes inherit it."""
    if any(name in environment for name in SETTINGS):
        return
    environment[WAIT_POLICY] = "passive"
    if "torch" in sys.modules and sys.platform == "linux":  # it no longer reads the environment
        _exceed_processors(len(os.sched_getaffinity(0)), import_module("torch").get_num_threads())


def _exceed_processors(processors: int, threads: int) -> None:
    """Make OpenMP have more threads than processors: GNU's then waits in its loop for two microseconds at most.

    Each thread that divides an operation has a team of `threads` threads, itself included. The teams made here sleep.
    """
    for _ in range((processors - threads) // (threads - 1) + 1 if threads > 1 else 0):
        Thread(target=_keep_team, args=(threads,), name="camviz openmp", daemon=True).start()


def _keep_team(threads: int) -> None:
    import_module("torch").ones(ELEMENTS_PER_THREAD * threads, device="cpu")
    Event().wait()
