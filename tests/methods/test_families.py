"""Every method on families of networks with random weights: a finite map, or an error that names the reason."""

from functools import partial

import pytest
import timm
import torch
from torchvision import models

from camviz import METHODS, CamvizError, load_model, scores
from tests.methods.nets import quick

SIDE = 48
NO_CAM = {"densenet121", "convnext_atto"}  # no pooling + linear right after the layer
NO_RELU = {"efficientnet_b0", "convnext_atto"}
# More of them in docs/reference/compatibility.md, of which tests/benchmarks/test_sweep.py computes rows again.
FAMILIES = [
    *("resnet18", "densenet121", "mobilenet_v2", "shufflenet_v2_x0_5", "googlenet", "efficientnet_b0"),
    "convnext_atto",
]


@pytest.fixture(scope="module")
def model(request):
    build = timm.create_model if request.param == "convnext_atto" else partial(models.get_model, weights=None)
    net = build(request.param)
    return load_model(net, name=request.param, input_size=(SIDE, SIDE))


@pytest.mark.parametrize("model", FAMILIES, indirect=True)
def test_methods_give_a_finite_map_or_an_error(model):
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    narrow = min((layer for layer in model.layers if layer.height < SIDE), key=lambda layer: layer.channels).name
    refused = {}
    for method in METHODS.values():
        many = method.many_passes and method.layer == "required" and method.key != "recipro_cam"  # it counts places
        layer = None if method.layer == "none" else model.module(narrow if many else model.default_layer)
        try:
            found = quick(method, model.net, x, scores.logit(5), layer)
        except CamvizError as error:
            refused[method.key] = str(error)
            continue
        assert found.isfinite().all(), method.key
        assert found.shape[-2:] == (SIDE, SIDE) or found.ndim == 3, method.key
    missing = {METHODS["cam"].requires} if model.name in NO_CAM else set()
    missing |= {METHODS["guided_backprop"].requires} if model.name in NO_RELU else set()
    assert refused.keys() == {key for key, method in METHODS.items() if method.requires in missing}, refused
