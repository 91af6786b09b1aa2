"""How large a batch is, and who waits for whom, on the CPU and on accelerators."""

from types import SimpleNamespace

import pytest
import torch

from camviz.runtime import batching, devices

CPU, CUDA, MPS = map(torch.device, ("cpu", "cuda", "mps"))
GIGABYTE = 2**30


@pytest.fixture
def waited(monkeypatch):
    """The devices that were waited for."""
    found = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: found.append(device.type))
    return found


@pytest.mark.parametrize(
    ("total", "room", "size"), [(80, 2**24, 40), (8, 2**24, 4), (8, 2**20, 64), (80, 2**20, 128), (1, 2**30, 1)]
)
def test_an_accelerator_takes_what_its_memory_holds(monkeypatch, total, room, size):
    properties = SimpleNamespace(total_memory=total * GIGABYTE)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: total * GIGABYTE)
    assert batching.batch_size(1e9, CUDA, room) == batching.batch_size(1e9, MPS, room) == size


def test_progress_is_told_when_the_device_has_come_as_far(waited):
    told = []
    with devices.synchronized(CUDA, lambda done, total: told.append((done, total, list(waited)))) as progress:
        progress(1, 2)
        progress(2, 2)
    assert told == [(1, 2, ["cuda"]), (2, 2, ["cuda", "cuda"])] and len(waited) == 3
    with devices.synchronized(CUDA) as progress:
        assert progress is None
    with devices.synchronized(CPU, told.append) as progress:
        assert progress == told.append
    assert len(waited) == 4


def test_a_clock_waits_for_an_accelerator_and_never_for_the_cpu(waited):
    clock = devices.stopwatch(CUDA)
    assert clock() <= clock() and waited == ["cuda", "cuda"]
    clock = devices.stopwatch(CPU)
    assert clock() <= clock() and waited == ["cuda", "cuda"]
