"""Grad-CAM, its counterfactual, Guided Grad-CAM and Layer-CAM compared with their formulas, on gradients by hand."""

import pytest
import torch
from torch.nn.functional import interpolate

from camviz import scores
from camviz.methods.grad_cam import grad_cam
from camviz.methods.guided_backprop import guided_backprop
from camviz.methods.guided_grad_cam import guided_grad_cam
from camviz.methods.layer_cam import layer_cam
from tests.methods.nets import NETS, Modules, build, by_hand, close, of_class, random_images

LAYERS = [(kind, name) for kind in NETS.values() for name in kind.layers]
EVERY_LAYER = pytest.mark.parametrize(("kind", "name"), LAYERS, ids=[f"{k.__name__} {name}" for k, name in LAYERS])


def at(kind, name, c):
    """Return network, images, layer, its activation and the gradient of class c there, by hand."""
    net, x, hand = by_hand(kind)
    gradients, _ = hand.back(of_class(c))
    step = kind.layers[name]
    return net, x, net.get_submodule(name), hand.values[step], gradients[step]


def weighted_sum(weights, activation):
    """Compute relu( sum_c w[b,c] A[b,c,h,w] ) in a loop."""
    result = torch.zeros(len(activation), *activation.shape[2:], dtype=activation.dtype)
    for sample in range(len(activation)):
        for channel in range(activation.shape[1]):
            result[sample] += weights[sample][channel] * activation[sample, channel]
    return result.clamp(min=0)


@EVERY_LAYER
def test_grad_cam_and_its_counterfactual_equal_the_formula(kind, name):
    for c in (1, 4):
        net, x, layer, activation, gradient = at(kind, name, c)
        cells = gradient[0, 0].numel()
        weights = [[float(channel.sum()) / cells for channel in sample] for sample in gradient]
        against = [[-weight for weight in sample] for sample in weights]
        for knobs, expected in (
            ({}, weighted_sum(weights, activation)),
            ({"counterfactual": False}, weighted_sum(weights, activation)),
            ({"counterfactual": True}, weighted_sum(against, activation)),
        ):
            result = grad_cam(net, x, scores.logit(c), layer, **knobs)
            assert result.min() >= 0
            torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-14)


@EVERY_LAYER
def test_layer_cam_equals_the_formula(kind, name):
    found = 0.0
    for c in (1, 4):
        net, x, layer, activation, gradient = at(kind, name, c)
        expected = torch.zeros_like(activation[:, 0])
        for channel in range(activation.shape[1]):
            expected += gradient[:, channel].clamp(min=0) * activation[:, channel]
        result = layer_cam(net, x, scores.logit(c), layer)
        torch.testing.assert_close(result, expected.clamp(min=0), rtol=1e-10, atol=1e-14)
        found += float(result.max())
    assert found > 0


@EVERY_LAYER
def test_guided_grad_cam_is_guided_backprop_times_the_upsampled_map(kind, name):
    net, x, layer, activation, gradient = at(kind, name, 4)
    region = weighted_sum(gradient.mean(dim=(2, 3)), activation)
    region = interpolate(region[:, None], x.shape[2:], mode="bilinear", align_corners=False)
    _, lines = by_hand(kind)[2].back(of_class(4), "guided")
    result = guided_grad_cam(net, x, scores.logit(4), layer)
    torch.testing.assert_close(result, lines * region, rtol=1e-9, atol=1e-14)


def test_map_and_counterfactual_do_not_overlap():
    net, x, _ = by_hand(Modules)
    layer, score = net.features[6], scores.contrast(1, 4)
    toward, against = grad_cam(net, x, score, layer), grad_cam(net, x, score, layer, counterfactual=True)
    assert toward.max() > 0 or against.max() > 0
    assert (toward * against == 0).all()
    close(against, grad_cam(net, x, scores.contrast(4, 1), layer))


def test_grad_cam_equals_cam_before_pooling_and_a_linear_layer():
    net, x, _ = by_hand(Modules)
    activation = net.features(x).detach()
    for c in range(7):
        cam = torch.einsum("c,bchw->bhw", net.head[2].weight[c].detach(), activation).clamp(min=0)
        mean = cam / activation[0, 0].numel()
        torch.testing.assert_close(grad_cam(net, x, scores.logit(c), net.features[6]), mean, rtol=1e-10, atol=1e-14)


def test_class_without_positive_evidence_has_an_empty_map():
    net, x = build(Modules), random_images()
    with torch.no_grad():
        net.head[2].weight[3] = -1
    assert (grad_cam(net, x, scores.logit(3), net.features[6]) == 0).all()
    assert (guided_grad_cam(net, x, scores.logit(3), net.features[6]) == 0).all()
    assert guided_backprop(net, x, scores.logit(2)).abs().max() > 0
    assert grad_cam(net, x, scores.logit(3), net.features[6], counterfactual=True).max() > 0


def test_grad_cam_takes_the_last_run_of_a_reused_layer():
    """The ReLU of Residual runs five times; its last output is the last block's."""
    net, x, _ = by_hand(NETS["residual"])
    score = scores.logit(4)
    close(grad_cam(net, x, score, net.relu), grad_cam(net, x, score, net.second))
