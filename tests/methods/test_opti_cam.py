"""Opti-CAM compared with the same optimization by autograd through the whole network."""

import pytest
import torch
import torch.nn.functional as F

from camviz import scores
from camviz.methods.opti_cam import opti_cam
from camviz.tape import activations
from tests.methods.nets import NETS, build, close, random_images


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_opti_cam_equals_gradient_ascent(kind):
    net, x = build(kind), random_images()
    layer = {"Modules": "features.4", "Functional": "two", "Residual": "first"}[kind.__name__]
    kept = [activations(net, x, net.get_submodule(layer))[0].relu()]
    u = torch.zeros(2, kept[0].shape[1], dtype=torch.float64, requires_grad=True)
    first, second, raised = torch.zeros_like(u), torch.zeros_like(u), []
    for step in range(1, 13):
        maps = (u.softmax(dim=1)[:, :, None, None] * kept[0]).sum(dim=1, keepdim=True)
        mask = F.interpolate(maps, size=x.shape[2:], mode="bilinear")
        low, high = (end(mask.flatten(1), dim=1)[:, None, None, None] for end in (torch.amin, torch.amax))
        score = net(x * (mask - low) / (high - low))[:, 2].sum()
        raised.append(float(score.detach()))
        (slope,) = torch.autograd.grad(score, u)
        with torch.no_grad():  # Adam, written out
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            u += 0.1 * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    assert raised[-1] > raised[0]
    expected = (u.detach().softmax(dim=1)[:, :, None, None] * kept[0]).sum(dim=1)
    expected -= expected.amin(dim=(1, 2), keepdim=True)
    close(opti_cam(net, x, scores.logit(2), net.get_submodule(layer), steps=12), expected, 1e-6)
