"""Results do not depend on the device: every available accelerator, and any default device of torch.

Nothing can be computed on the device "meta". As default device it replaces a missing accelerator: a tensor made
without an explicit device would be on it, and could not be combined with others.
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
from tests.methods.nets import Modules, Residual, build, quick, random_images

ACCELERATORS = available_devices()[:-1]
LAYERS = {Modules: "features.6", Residual: "second"}
SINGLE = 1e-3  # in float32, of a network 50 layers deep
NETS = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__.lower())


def precision(device_name):
    """Return the dtype for a device and the tolerance of results; MPS has no float64."""
    return (torch.float32, SINGLE) if device_name == "mps" else (torch.float64, 1e-8)


@pytest.fixture(params=["meta", *ACCELERATORS])
def device_name(request):
    """The device of the networks, with a default device that is not the CPU."""
    torch.set_default_device(request.param)
    yield "cpu" if request.param == "meta" else request.param
    torch.set_default_device(None)


def on_the_cpu(function, *arguments, **settings):
    """Call a function under torch's own default device."""
    with torch.device("cpu"):
        return function(*arguments, **settings)


def relative_error(found, expected):
    """Return the relative error of a result."""
    found, expected = (torch.as_tensor(value, device="cpu").double() for value in (found, expected))
    return float((found - expected).norm() / expected.norm())


@NETS
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_methods_do_not_depend_on_the_device(device_name, method, kind):
    dtype, most = precision(device_name)
    net, x = on_the_cpu(build, kind, dtype=dtype), on_the_cpu(random_images, dtype=dtype)
    expected = on_the_cpu(quick, method, net, x, scores.logit(4), net.get_submodule(LAYERS[kind]))
    net, x = net.to(device_name), x.to(device_name)
    found = quick(method, net, x, scores.logit(4), net.get_submodule(LAYERS[kind]))
    assert found.device.type == device_name and relative_error(found.cpu(), expected) < most


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_metrics_do_not_depend_on_the_device(device_name, metric):
    dtype, most = precision(device_name)

    def number(place):
        net, x, heat = on_the_cpu(example, dtype=dtype)
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

    assert number(device_name) == pytest.approx(on_the_cpu(number, "cpu"), rel=most)


@pytest.mark.parametrize("key", SYNTHESES)
def test_syntheses_do_not_depend_on_the_device(device_name, key, lite0, coffee):
    takes = {"image": coffee} if key in ("deep_dream", "inversion") else {}
    takes |= {"target": "koala"} if key == "class_image" else {"layer": "blocks.2"}
    takes |= {"channel": 7} if key == "activation_maximization" else {}
    model = on_device(lite0, device_name)
    expected = on_the_cpu(synthesize, lite0, key, steps=2, **takes)
    found = synthesize(model, key, steps=2, **takes)
    assert relative_error(found.objective, expected.objective) < SINGLE
    assert np.abs(found.image.astype(int) - expected.image).mean() < 2  # of 255
    assert estimate(model, key, steps=2, **takes) > 0


def test_occlusion_maps_do_not_depend_on_the_device(device_name):
    dtype, most = precision(device_name)
    net, x = on_the_cpu(build, Residual, dtype=dtype), on_the_cpu(random_images, dtype=dtype)
    expected = on_the_cpu(occlusion_maps, net, x, 4, net.first, size=8, stride=4)
    found = occlusion_maps(net.to(device_name), x.to(device_name), 4, net.first, size=8, stride=4)
    assert torch.equal(found.category.cpu(), expected.category)
    assert torch.equal(found.feature_map.cpu(), expected.feature_map)
    assert relative_error(found.probability.cpu(), expected.probability) < most
    assert relative_error(found.strength.cpu(), expected.strength) < most


@pytest.mark.parametrize("key", ["grad_cam", "guided_backprop", "score_cam"])
def test_explanations_do_not_depend_on_the_device(device_name, key, lite0, coffee):
    layer = None if METHODS[key].layer == "none" else "blocks.1"
    expected = on_the_cpu(explain, lite0, coffee, key, layer=layer)
    found = explain(on_device(lite0, device_name), coffee, key, layer=layer)
    assert relative_error(found.attribution, expected.attribution) < SINGLE
    assert found.probability == pytest.approx(expected.probability, abs=1e-3)
    assert (found.target, found.notes, found.label) == (expected.target, expected.notes, expected.label)


@pytest.mark.parametrize("device", available_devices())
def test_eight_threads_share_a_device(device, coffee):
    model = shared_model("efficientnet_lite0", device=device)
    jobs = [key for key in ("grad_cam", "guided_backprop", "deconvnet", "vanilla_backprop") for _ in range(4)]
    alone = {key: explain(model, coffee, key).attribution for key in set(jobs)}
    with ThreadPoolExecutor(8) as pool:
        for key, found in zip(jobs, pool.map(lambda key: explain(model, coffee, key).attribution, jobs), strict=True):
            assert relative_error(found, alone[key]) < 1e-3
