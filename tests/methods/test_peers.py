"""Maps equal those of captum, grad-cam and torchcam, on a copy of the network without in-place operations."""

import copy

import pytest
import torch
import torch.nn.functional as F
import torchcam.methods
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    GuidedGradCam,
    LayerGradCam,
    NeuronDeconvolution,
    Saliency,
)
from pytorch_grad_cam import GradCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision import models

from camviz import scores
from camviz.methods.deconvnet import deconvnet
from camviz.methods.grad_cam import grad_cam
from camviz.methods.guided_backprop import guided_backprop
from camviz.methods.guided_grad_cam import guided_grad_cam
from camviz.methods.layer_cam import layer_cam
from camviz.methods.score_cam import score_cam
from camviz.methods.vanilla_backprop import vanilla_backprop
from camviz.tape import activations
from tests.methods.nets import random_images, score_cam_by_hand

pytestmark = [
    pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU"),
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks"),
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients"),
]

LAYERS = {
    "resnet18": "layer3",
    "vgg11": "features.16",
    "alexnet": "features.8",
    "squeezenet1_1": "features.9",
    "efficientnet_lite0": "blocks.4",
}
WITH_RELU_MODULES = [name for name in LAYERS if name != "efficientnet_lite0"]  # whose ReLU6 captum does not know
CLASS = 7
CLOSE = 1e-4


@pytest.fixture(scope="module", params=LAYERS)
def case(request, lite0):
    return prepare(request.param, lite0)


@pytest.fixture(scope="module", params=WITH_RELU_MODULES)
def relu_case(request):
    return prepare(request.param, None)


def prepare(name, lite0):
    torch.manual_seed(0)
    net = lite0.net if name == "efficientnet_lite0" else models.get_model(name).eval()
    size = (64, 96) if name != "alexnet" else (96, 128)
    x = random_images(2, torch.float32, size)
    other = out_of_place(net)
    return net, net.get_submodule(LAYERS[name]), other, other.get_submodule(LAYERS[name]), x


def out_of_place(net):
    """Return a copy with the same parameters and without in-place modules."""
    result = copy.deepcopy(net, {id(parameter): parameter for parameter in net.parameters()})
    for module in result.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    return result


def difference(ours, theirs):
    assert theirs.abs().max() > 0
    return float((ours - theirs).norm() / theirs.norm())


def scaled(maps):
    """Divide each map by its largest value: the peers differ in scale."""
    return maps / maps.flatten(1).amax(dim=1)[:, None, None]


def minmax(maps):
    low, high = (flat[:, None, None] for flat in (maps.flatten(1).amin(dim=1), maps.flatten(1).amax(dim=1)))
    return (maps - low) / (high - low)


def test_vanilla_backprop_equals_captum(case):
    net, _, other, _, x = case
    assert (
        difference(vanilla_backprop(net, x, scores.logit(CLASS)), Saliency(other).attribute(x, CLASS, abs=False))
        < CLOSE
    )


def test_grad_cam_equals_captum(case):
    net, layer, other, other_layer, x = case
    theirs = LayerGradCam(other, other_layer).attribute(x, CLASS, relu_attributions=True)[:, 0]
    assert difference(grad_cam(net, x, scores.logit(CLASS), layer), theirs.detach()) < CLOSE


def test_guided_backprop_equals_captum(relu_case):
    net, _, other, _, x = relu_case
    assert difference(guided_backprop(net, x, scores.logit(CLASS)), GuidedBackprop(other).attribute(x, CLASS)) < CLOSE


def test_deconvnet_equals_captum(relu_case):
    net, layer, other, other_layer, x = relu_case
    assert difference(deconvnet(net, x, scores.logit(CLASS)), Deconvolution(other).attribute(x, CLASS)) < CLOSE
    theirs = NeuronDeconvolution(other, other_layer).attribute(x, (5, 1, 2))
    assert difference(deconvnet(net, x, scores.logit(CLASS), layer, feature_map=5, row=1, column=2), theirs) < CLOSE


def test_guided_grad_cam_equals_captum(relu_case):
    net, layer, other, other_layer, x = relu_case
    theirs = GuidedGradCam(other, other_layer).attribute(x, CLASS, interpolate_mode="bilinear")
    assert difference(guided_grad_cam(net, x, scores.logit(CLASS), layer), theirs.detach()) < CLOSE


@pytest.mark.parametrize(("method", "peer"), [(grad_cam, GradCAM), (layer_cam, LayerCAM)])
def test_cams_equal_grad_cam_package(case, method, peer):
    net, layer, other, other_layer, x = case
    with peer(other, [other_layer]) as cam:
        theirs = torch.from_numpy(cam(x.clone().requires_grad_(), [ClassifierOutputTarget(CLASS)] * 2))
    ours = minmax(method(net, x, scores.logit(CLASS), layer))
    ours = minmax(F.interpolate(ours[:, None], x.shape[2:], mode="bilinear")[:, 0])
    assert difference(ours, theirs) < CLOSE


@pytest.mark.parametrize(("method", "peer"), [(layer_cam, "LayerCAM"), (grad_cam, "GradCAM")])
def test_cams_equal_torchcam(case, method, peer):
    net, layer, other, other_layer, x = case
    with getattr(torchcam.methods, peer)(other, other_layer) as cam:
        output = other(x.clone().requires_grad_())
        (theirs,) = cam([CLASS] * 2, output, normalized=False)
    assert difference(scaled(method(net, x, scores.logit(CLASS), layer)), scaled(theirs.relu())) < CLOSE


def test_score_cam_equals_torchcam():
    net, _, other, _, x = prepare("squeezenet1_1", None)
    layer, x = net.features[4], x[:1]
    with torchcam.methods.ScoreCAM(other, other.features[4]) as cam, torch.no_grad():
        (theirs,) = cam([CLASS], other(x), normalized=False)
    assert difference(scaled(score_cam(net, x, scores.logit(CLASS), layer)), scaled(theirs)) < 2e-2


def test_score_cam_of_the_embedded_network_equals_the_loop(lite0):
    """Compare with the loop, as torchcam scales before upsampling and gives another map here."""
    net, x = lite0.net, random_images(1, torch.float32, (64, 96))
    layer = net.get_submodule("blocks.1")
    expected = score_cam_by_hand(net, x, scores.logit(CLASS), activations(net, x, layer)[0])
    assert difference(score_cam(net, x, scores.logit(CLASS), layer), expected) < CLOSE


# ------------------------------------------------------------- what the peers miss: functional and reused ReLUs


class Guided(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(min=0) * (ctx.saved_tensors[0] > 0)


class Deconvolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clamp(min=0)


def gradient_with_relu(net, x, function, monkeypatch):
    """Return the gradient of the class with every F.relu, which nn.ReLU calls too, replaced by `function`."""
    calls = []

    def relu(value, inplace=False):
        calls.append(value.shape)
        return function.apply(value)

    with monkeypatch.context() as patch:
        patch.setattr(F, "relu", relu)
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[:, CLASS].sum(), x)
    return gradient, len(calls)


@pytest.mark.parametrize(
    ("name", "relus", "modules"), [("densenet121", 121, 120), ("googlenet", 57, 0), ("resnet18", 17, 9)]
)
@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet")
def test_functional_and_reused_relus_follow_the_rule(name, relus, modules, monkeypatch):
    torch.manual_seed(0)
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    net = models.get_model(name, **extra).eval()
    x = random_images(1, torch.float32, (64, 96))
    assert sum(isinstance(module, nn.ReLU) for module in net.modules()) == modules
    plain = vanilla_backprop(net, x, scores.logit(CLASS))
    for method, function, peer in (
        (guided_backprop, Guided, GuidedBackprop),
        (deconvnet, Deconvolved, Deconvolution),
    ):
        expected, calls = gradient_with_relu(net, x, function, monkeypatch)
        assert calls == relus
        ours = method(net, x, scores.logit(CLASS))
        assert difference(ours, expected) < 1e-6
        assert difference(ours, plain) > 0.1
        theirs = peer(out_of_place(net)).attribute(x, CLASS)
        missed = difference(theirs, expected)
        assert missed < CLOSE if name == "resnet18" else missed > 1e-2
        if name == "googlenet":  # captum finds no ReLU, and returns the plain gradient without a warning
            assert difference(theirs, plain) < CLOSE
