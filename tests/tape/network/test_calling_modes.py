"""Results do not depend on torch modes of the caller."""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import camviz
from camviz import METHODS, CamvizError, scores, tape
from camviz.acceleration.many_passes import many_passes
from camviz.feature_visualization import synthesize
from tests.models.nets import FEW, SIDE, Small, images, load, maps, relative

(IMAGE,) = images(1)
X = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MOST = tuple(set(METHODS) - {"grad_cam", "score_cam", "lrp", "smooth_grad", "occlusion"})  # too many for every test


def autocast():
    return torch.autocast("cpu", torch.bfloat16)


MODES = [torch.inference_mode, torch.no_grad, autocast, float64]


@pytest.fixture(scope="module")
def expected():
    return maps(load(Small()), IMAGE)


@pytest.mark.parametrize("mode", MODES)
def test_models_loaded_and_explained_in_a_mode_give_equal_results(mode, expected):
    net = Small()
    with mode():
        model = load(net)
        found, predictions = maps(model, IMAGE), model.predict(IMAGE)
        deletion = float(camviz.measure(camviz.explain(model, IMAGE), "deletion", steps=3))
    for key, values in expected.items():
        assert found[key].dtype == np.float32
        if key == "xrai" and mode is float64:  # the last digits of the pixels decide about its segments
            continue
        assert relative(found[key], values) < 1e-5
    for key, values in maps(model, IMAGE, without=MOST).items():  # outside again
        assert relative(values, expected[key]) < 1e-5
    plain = load(Small())
    assert [one.probability for one in predictions] == pytest.approx([one.probability for one in plain.predict(IMAGE)])
    assert deletion == pytest.approx(float(camviz.measure(camviz.explain(plain, IMAGE), "deletion", steps=3)))


def test_network_made_in_inference_mode_is_loaded(expected):
    with torch.inference_mode():
        net = Small()
        net.first.weight.mul_(1)
    model = load(net)
    assert not any(parameter.is_inference() for parameter in model.net.parameters())
    for key, values in maps(model, IMAGE).items():
        assert relative(values, expected[key]) < 1e-5
    with pytest.raises(CamvizError, match=r"made under torch.inference_mode\(\).*camviz.load_model"):
        METHODS["vanilla_backprop"](net.eval(), X, scores.logit(1))


@pytest.mark.parametrize("mode", MODES[:3])
@pytest.mark.parametrize("key", METHODS)
def test_bare_methods_in_a_mode_give_equal_maps(mode, key):
    net, method = Small().eval(), METHODS[key]
    knobs = {name: value for name, value in FEW.items() if name in method.knobs}
    layer = [net.last_relu] if method.layer == "required" else []
    outside = method(net, X, scores.logit(1), *layer, **knobs)
    with mode():
        inside = method(net, X.clone(), scores.logit(1), *layer, **knobs)
    assert inside.dtype == torch.float32 and relative(inside.detach(), outside.detach()) < 1e-5


def test_synthesis_in_inference_mode_gives_the_same_image():
    model = load(Small())
    made = synthesize(model, layer="second", channel=1, steps=2).image
    with torch.inference_mode():
        inside = synthesize(model, layer="second", channel=1, steps=2).image
    np.testing.assert_array_equal(inside, made)


def test_modes_of_the_caller_are_restored():
    net = copy.deepcopy(Small()).eval()
    with torch.inference_mode():
        METHODS["grad_cam"](net, X.clone(), scores.logit(1), net.second)
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
    with autocast():
        METHODS["grad_cam"](net, X, scores.logit(1), net.second)
        assert torch.is_autocast_enabled("cpu")


class Autocasting(Small):
    """Runs itself under autocast; `back` converts its scores to float32."""

    def __init__(self, back=True):
        super().__init__()
        self.back = back

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            scores = super().forward(x)
        return scores.float() if self.back else scores


@pytest.mark.parametrize("back", [True, False])
def test_network_with_its_own_autocast_is_explained_in_float32(back, expected):
    model = load(Autocasting(back))
    for key, values in maps(model, IMAGE, without=() if back else MOST).items():
        assert values.dtype == np.float32 and relative(values, expected[key]) < 1e-5
    (note,) = camviz.explain(model, IMAGE).notes
    assert "runs under autocast" in note
    assert camviz.explain(load(Small()), IMAGE).notes == ()


@pytest.mark.parametrize("key", METHODS)
def test_bare_methods_on_a_network_with_its_own_autocast(key):
    net, plain, method = Autocasting().eval(), Small().eval(), METHODS[key]
    knobs = {name: value for name, value in FEW.items() if name in method.knobs}
    found, expected = (
        method(one, X, scores.logit(1), *([one.last_relu] if method.layer == "required" else []), **knobs).detach()
        for one in (net, plain)
    )
    assert relative(found, expected) < 1e-5


def test_network_with_its_own_autocast_is_fused():
    fused = []
    for net in (Autocasting().eval(), Small().eval()):
        with torch.no_grad(), many_passes(net, X):
            fused.append(tape.forward(net, X))
    assert torch.equal(*fused)
