"""Where it is computed changes no result: on every accelerator that is there, and whatever torch's default device is.

On the device "meta" nothing can be computed. As default device it stands for an accelerator where there is none: a
tensor made without a word about its place would come to lie there, and could meet no other.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from camviz import METHODS, explain, scores
from camviz.evaluation.registry import METRICS, Subject
from camviz.feature_visualization import SYNTHESES, estimate, synthesize
from camviz.models import available_devices, shared_model
from camviz.models.offers import on_device
from camviz.perturbation.occlusion import occlusion_maps
from tests.evaluation.subjects import SCORE, TARGET, example
from tests.methods.nets import Modules, Residual, build, picture, quick

ACCELERATORS = available_devices()[:-1]
LAYERS = {Modules: "features.6", Residual: "second"}
SINGLE = 1e-3  # in float32, of a network 50 layers deep
NETS = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__.lower())


def precision(home):
    """The precision to compute in there, and how far results may be apart; MPS has no float64."""
    return (torch.float32, SINGLE) if home == "mps" else (torch.float64, 1e-8)


@pytest.fixture(params=["meta", *ACCELERATORS])
def home(request):
    """Where networks lie, with a default device that is not the CPU."""
    torch.set_default_device(request.param)
    yield "cpu" if request.param == "meta" else request.param
    torch.set_default_device(None)


def of_the_cpu(function, *arguments, **settings):
    """What the function gives under torch's own default device."""
    with torch.device("cpu"):
        return function(*arguments, **settings)


def error(found, expected):
    """How far a result is from the expected one, as a share of it."""
    found, expected = (torch.as_tensor(value, device="cpu").double() for value in (found, expected))
    return float((found - expected).norm() / expected.norm())


@NETS
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method(home, method, kind):
    dtype, most = precision(home)
    net, x = of_the_cpu(build, kind, dtype=dtype), of_the_cpu(picture, dtype=dtype)
    expected = of_the_cpu(quick, method, net, x, scores.logit(4), net.get_submodule(LAYERS[kind]))
    net, x = net.to(home), x.to(home)
    found = quick(method, net, x, scores.logit(4), net.get_submodule(LAYERS[kind]))
    assert found.device.type == home and error(found.cpu(), expected) < most


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric(home, metric):

    dtype, most = precision(home)

    def number(place):
        net, x, heat = of_the_cpu(example, dtype=dtype)
        net, x = net.to(place), x.to(place)
        gradients = METHODS["vanilla_backprop"]
        subject = Subject(
            net,
            x,
            SCORE,
            heat.to(place),
            explain=lambda net, x: gradients(net, x, scores.logit(TARGET)),
            explain_class=lambda index: gradients(net, x, scores.logit(index)),
            target=TARGET,
            classes=(0, 1, 2, 3),
        )
        return float(metric.measure(subject))

    assert number(home) == pytest.approx(of_the_cpu(number, "cpu"), rel=most)


@pytest.mark.parametrize("key", SYNTHESES)
def test_a_picture_that_is_made(home, key, lite0, coffee):
    takes = {"image": coffee} if key in ("deep_dream", "inversion") else {}
    takes |= {"target": "koala"} if key == "class_image" else {"layer": "blocks.2"}
    takes |= {"channel": 7} if key == "activation_maximization" else {}
    model = on_device(lite0, home)
    expected = of_the_cpu(synthesize, lite0, key, steps=2, **takes)
    found = synthesize(model, key, steps=2, **takes)
    assert error(found.objective, expected.objective) < SINGLE
    assert np.abs(found.image.astype(int) - expected.image).mean() < 2  # of 255
    assert estimate(model, key, steps=2, **takes) > 0


def test_the_three_maps_of_a_sliding_square(home):
    dtype, most = precision(home)
    net, x = of_the_cpu(build, Residual, dtype=dtype), of_the_cpu(picture, dtype=dtype)
    expected = of_the_cpu(occlusion_maps, net, x, 4, net.first, size=8, stride=4)
    found = occlusion_maps(net.to(home), x.to(home), 4, net.first, size=8, stride=4)
    assert torch.equal(found.category.cpu(), expected.category)
    assert torch.equal(found.feature_map.cpu(), expected.feature_map)
    assert error(found.probability.cpu(), expected.probability) < most
    assert error(found.strength.cpu(), expected.strength) < most


@pytest.mark.parametrize("key", ["grad_cam", "guided_backprop", "score_cam", "lrp", "smooth_grad"])
def test_an_explanation_of_the_embedded_network(home, key, lite0, coffee):
    layer = None if METHODS[key].layer == "none" else "blocks.1"
    expected = of_the_cpu(explain, lite0, coffee, key, layer=layer)
    found = explain(on_device(lite0, home), coffee, key, layer=layer)
    assert error(found.attribution, expected.attribution) < SINGLE
    assert found.probability == pytest.approx(expected.probability, abs=1e-3)
    assert (found.target, found.notes, found.label) == (expected.target, expected.notes, expected.label)


@pytest.mark.parametrize("device", available_devices())
def test_eight_threads_share_a_device(device, coffee):
    model = shared_model("efficientnet_lite0", device=device)
    jobs = [key for key in ("grad_cam", "guided_backprop", "deconvnet", "vanilla_backprop") for _ in range(8)]
    alone = {key: explain(model, coffee, key).attribution for key in set(jobs)}
    with ThreadPoolExecutor(8) as pool:
        for key, found in zip(jobs, pool.map(lambda key: explain(model, coffee, key).attribution, jobs), strict=True):
            assert error(found, alone[key]) < 1e-3
