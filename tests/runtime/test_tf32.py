"""TF32 is a switch of the whole process: it is off during computations and restored afterwards."""

import threading

import pytest
import torch
from torch.backends import cudnn

from camviz import METHODS, scores
from camviz.runtime.tf32 import full_precision
from tests.methods.nets import Modules, build, random_images

CUDA = torch.device("cuda")


@pytest.fixture(params=[True, False])
def initial(request):
    kept = cudnn.allow_tf32
    cudnn.allow_tf32 = request.param
    yield request.param
    cudnn.allow_tf32 = kept


def test_tf32_is_off_inside_and_restored(initial):
    with full_precision(CUDA):
        assert not cudnn.allow_tf32
        with full_precision(CUDA):
            assert not cudnn.allow_tf32
        assert not cudnn.allow_tf32
    assert cudnn.allow_tf32 == initial
    with pytest.raises(ZeroDivisionError), full_precision(CUDA):
        raise ZeroDivisionError
    assert cudnn.allow_tf32 == initial


def test_last_thread_restores_tf32(initial):
    inside, leave = threading.Barrier(2), threading.Event()

    def work():
        with full_precision(CUDA):
            inside.wait()
            leave.wait()

    other = threading.Thread(target=work)
    other.start()
    with full_precision(CUDA):
        inside.wait()
    assert not cudnn.allow_tf32  # the other one still computes
    leave.set()
    other.join()
    assert cudnn.allow_tf32 == initial


def test_tf32_set_by_fp32_precision_is_restored():
    conv = cudnn.conv
    kept = conv.fp32_precision
    other = "ieee" if kept == "tf32" else "tf32"
    try:
        conv.fp32_precision = other
        with full_precision(CUDA):
            assert conv.fp32_precision == "ieee"
        assert conv.fp32_precision == other
    finally:
        conv.fp32_precision = kept
    assert cudnn.allow_tf32


def test_every_pass_runs_in_full_precision(monkeypatch):
    devices = []

    class RecordDevice:
        def __init__(self, device):
            devices.append(device.type)

        def __enter__(self): ...

        def __exit__(self, *_): ...

    monkeypatch.setattr("camviz.tape.forward_pass.full_precision", RecordDevice)
    monkeypatch.setattr("camviz.tape.gradients.full_precision", RecordDevice)
    monkeypatch.setattr("camviz.acceleration.partial_forward.full_precision", RecordDevice)
    net, x = build(Modules), random_images()
    METHODS["vanilla_backprop"](net, x, scores.logit(4))
    assert devices == ["cpu", "cpu"]  # the way up and the way back
    METHODS["ablation_cam"](net, x, scores.logit(4), net.features[4])
    assert len(devices) > 8
