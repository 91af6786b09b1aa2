"""The modes "exact" and "fast" of every method of many passes."""

import inspect

import pytest
import torch

from camviz import METHODS, CamvizError, scores
from camviz.runtime.devices import fastest_format
from camviz.runtime.precision import computing, is_fast
from camviz.runtime.tf32 import full_precision
from tests.methods.nets import Modules, build, quick, random_images

SCORE = scores.logit(4)
MANY = [method for method in METHODS.values() if method.many_passes]
# Their passes have no gradients, so they run in bfloat16.
REDUCED = {"score_cam", "ss_cam", "is_cam", "occlusion", "rise", "sobol", "hsic", "lime", "kernel_shap"}


@pytest.mark.parametrize("method", MANY, ids=lambda method: method.key)
def test_fast_is_near_exact_and_rounds_only_passes_without_gradients(monkeypatch, method):
    monkeypatch.setattr("camviz.acceleration.many_passes.fast_dtype", lambda device: torch.bfloat16)
    net, x = build(Modules, dtype=torch.float32), random_images(1, dtype=torch.float32)
    exact, fast = (quick(method, net, x, SCORE, net.features[6], mode=mode) for mode in ("exact", "fast"))
    assert fast.dtype == torch.float32 and not is_fast()
    assert torch.equal(exact, fast) == (method.key not in REDUCED)
    assert float((fast - exact).norm() / exact.norm()) < 0.05


def test_only_methods_of_many_passes_have_a_mode():
    assert {method.key for method in METHODS.values() if "mode" in method.knobs} == {method.key for method in MANY}
    with pytest.raises(CamvizError, match="mode 'quick' is not in the choices of rise"):
        METHODS["rise"](build(Modules), random_images(1), SCORE, mode="quick")


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_only_the_table_adds_the_mode_to_the_settings_of_a_function(method):
    declared = inspect.signature(method.function).parameters.values()
    own = {one.name for one in declared if one.kind is one.KEYWORD_ONLY}
    assert own - {"progress"} == {*method.knobs} - {"mode"} and "mode" not in own
    net, x = build(Modules), random_images(1)
    given = {} if method.layer == "none" else {"layer": net.features[6]}
    given |= {name: 3 for name in ("samples", "steps", "masks", "cells", "scales") if name in own}
    others = {name: one.default for name, one in method.knobs.items() if name in own - given.keys()}
    assert torch.equal(method.function(net, x, SCORE, **given), method(net, x, SCORE, **given, **others))


def test_fast_mode_on_cuda_allows_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    cuda = torch.device("cuda")
    with computing("fast"), full_precision(cuda):
        assert torch.backends.cudnn.allow_tf32 and fastest_format(cuda, torch.float32) is torch.channels_last
    with computing("exact"), full_precision(cuda):
        assert not torch.backends.cudnn.allow_tf32
        assert fastest_format(cuda, torch.float32) is torch.contiguous_format
