"""The switch for TF32 is the whole process's: it is off while anybody computes, and then as it was before."""

import threading

import pytest
import torch
from torch.backends import cudnn

from camviz import METHODS, scores
from camviz.runtime.tf32 import full_precision
from tests.methods.nets import Modules, build, picture

CUDA = torch.device("cuda")


@pytest.fixture(params=[True, False])
def before(request):
    kept = cudnn.allow_tf32
    cudnn.allow_tf32 = request.param
    yield request.param
    cudnn.allow_tf32 = kept


def test_it_is_off_within_and_then_as_it_was(before):
    with full_precision(CUDA):
        assert not cudnn.allow_tf32
        with full_precision(CUDA):
            assert not cudnn.allow_tf32
        assert not cudnn.allow_tf32
    assert cudnn.allow_tf32 == before
    with pytest.raises(ZeroDivisionError), full_precision(CUDA):
        raise ZeroDivisionError
    assert cudnn.allow_tf32 == before


def test_the_last_thread_to_leave_puts_it_back(before):
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
    assert cudnn.allow_tf32 == before


def test_a_choice_by_torch_s_newer_name_holds_too():
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


def test_every_pass_there_and_back_computes_in_full(monkeypatch):
    told = []

    class Told:
        def __init__(self, device):
            told.append(device.type)

        def __enter__(self): ...

        def __exit__(self, *_): ...

    monkeypatch.setattr("camviz.tape.forward_pass.full_precision", Told)
    monkeypatch.setattr("camviz.tape.gradients.full_precision", Told)
    monkeypatch.setattr("camviz.acceleration.partial_forward.full_precision", Told)
    net, x = build(Modules), picture()
    METHODS["vanilla_backprop"](net, x, scores.logit(4))
    assert told == ["cpu", "cpu"]  # the way up and the way back
    METHODS["ablation_cam"](net, x, scores.logit(4), net.features[4])
    assert len(told) > 8
