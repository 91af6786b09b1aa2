"""Idle OpenMP threads sleep, whether PyTorch or CamViz is imported first."""

import os
import subprocess
import sys

import pytest

from camviz.runtime import openmp

ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in (*openmp.SETTINGS, "OMP_NUM_THREADS")}
FIRST_CAMVIZ = "import camviz, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
FIRST_TORCH = """
import os, time
import torch
torch.set_num_threads(2 if len(os.sched_getaffinity(0)) > 1 else 1)
import camviz
time.sleep(0.2)
torch.ones(2**16)
begun = time.process_time()
for _ in range(20):
    torch.ones(2**16)  # one thread waits for the next operation
    time.sleep(0.02)
print((time.process_time() - begun) / 20)
"""


def printed(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return done.stdout.strip()


@pytest.mark.parametrize("name", openmp.SETTINGS)
def test_user_s_settings_are_kept(name):
    environment = {name: "1"}
    openmp.set_wait_policy(environment)
    assert environment == {name: "1"}


def test_wait_policy_is_set_before_torch_is_imported():
    assert printed(FIRST_CAMVIZ) == "passive False"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another OpenMP")
def test_idle_threads_sleep_if_torch_was_imported_first():
    assert float(printed(FIRST_TORCH)) < 2e-3  # seconds of processors; 6e-3 otherwise


@pytest.mark.parametrize(
    ("processors", "threads", "teams"), [(1, 1, 0), (2, 1, 0), (2, 2, 1), (4, 2, 3), (16, 8, 2), (64, 64, 1)]
)
def test_more_threads_than_processors_are_started(monkeypatch, processors, threads, teams):
    started = []
    monkeypatch.setattr(openmp.Thread, "start", lambda thread: started.append(thread))
    openmp._exceed_processors(processors, threads)
    assert len(started) == teams
    assert threads == 1 or threads + teams * (threads - 1) > processors
