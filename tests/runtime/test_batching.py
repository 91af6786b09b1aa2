"""Batch sizes and synchronization on the CPU and on accelerators."""

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


@pytest.fixture
def memory(monkeypatch):
    """Set the free memory of an accelerator, in bytes: some of it is torch's own reserve."""

    def set_free(free):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free - 3 * GIGABYTE, 80 * GIGABYTE))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 4 * GIGABYTE)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIGABYTE)
        monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: free + GIGABYTE)
        monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: GIGABYTE)

    return set_free


# Of VGG16 at 224 pixels: 13 MB in its largest tensor, 60 MB kept for gradients, 31e9 multiply-adds both ways.
@pytest.mark.parametrize(
    ("free", "work", "tensor", "kept", "size"),
    [
        (80, 31e9, 13e6, 60e6, 38),  # by the work
        (8, 31e9, 13e6, 60e6, 26),  # half of the memory
        (8, 15e9, 13e6, 0, 41),
        (80, 1e9, 5e6, 40e6, 512),  # as many as there may be
        (1, 1e9, 2**30, 0, 1),
    ],
)
def test_accelerator_batch_size_follows_work_and_memory(memory, free, work, tensor, kept, size):
    memory(free * GIGABYTE)
    assert batching.batch_size(work, CUDA, tensor, kept) == batching.batch_size(work, MPS, tensor, kept) == size
    assert batching.batch_size(work, CPU, tensor, kept) <= 8


def test_progress_waits_for_the_device(waited):
    reports = []
    with devices.synchronized(CUDA, lambda done, total: reports.append((done, total, list(waited)))) as progress:
        progress(1, 2)
        progress(2, 2)
    assert reports == [(1, 2, ["cuda"]), (2, 2, ["cuda", "cuda"])] and len(waited) == 3
    with devices.synchronized(CUDA) as progress:
        assert progress is None
    with devices.synchronized(CPU, reports.append) as progress:
        assert progress == reports.append
    assert len(waited) == 4


def test_fastest_layout_by_device_and_dtype():
    plain, last = torch.contiguous_format, torch.channels_last
    for device, dtype, expected in (
        (CPU, torch.float32, last),
        (CPU, torch.bfloat16, last),
        (CUDA, torch.float32, plain),
        (CUDA, torch.float64, plain),
        (CUDA, torch.bfloat16, last),
        (MPS, torch.float32, plain),
        (MPS, torch.float16, last),
    ):
        assert devices.fastest_format(device, dtype) is expected


def test_stopwatch_waits_for_an_accelerator_only(waited):
    clock = devices.stopwatch(CUDA)
    assert clock() <= clock() and waited == ["cuda", "cuda"]
    clock = devices.stopwatch(CPU)
    assert clock() <= clock() and waited == ["cuda", "cuda"]
