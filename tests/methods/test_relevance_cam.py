"""Relevance-CAM compared with the z-plus rule by hand."""

import pytest
import torch

from camviz import scores
from camviz.methods.relevance_cam import relevance_cam
from tests.methods.nets import Modules, build, close, random_images


def plus(layer, x, relevance):
    """Apply the z-plus rule: R[j] = sum_k (x[j] w[jk])+ / z+[k] * R[k]; a positive bias absorbs the rest of z+."""
    bias = layer.bias.clamp(min=0)
    shape = (1, -1, 1, 1) if x.ndim == 4 else (1, -1)
    run = torch.nn.functional.conv2d if x.ndim == 4 else torch.nn.functional.linear
    more = {"padding": 1} if x.ndim == 4 else {}
    high, low = (x.clamp(min=0).requires_grad_(), layer.weight.clamp(min=0)), (x.clamp(max=0).requires_grad_(), None)
    parts = [(high[0], high[1]), (low[0], layer.weight.clamp(max=0))]
    z = sum(run(one, weight, **more) for one, weight in parts)
    share = relevance / (z.detach() + bias.view(shape) + 1e-6)
    slopes = torch.autograd.grad(z, [one for one, _ in parts], share)
    return sum(one.detach() * slope for (one, _), slope in zip(parts, slopes, strict=True))


@pytest.mark.parametrize("contrastive", [True, False])
def test_relevance_cam_equals_the_rule_by_hand(contrastive):
    net, x = build(Modules), random_images()
    net.requires_grad_(False)
    maps = net.features[:5](x)  # the layer: ReLU6
    after = net.features[6](net.features[5](maps))
    pooled = after.mean(dim=(2, 3))
    z = net.head[2](pooled)
    start = torch.zeros_like(z)
    start[:, 2] = z[:, 2]
    if contrastive:
        start -= z[:, 2:3] / 6
        start[:, 2] = z[:, 2]
    relevance = plus(net.head[2], pooled, start)
    relevance = (relevance / (pooled + 1e-6))[:, :, None, None] * after / after[0, 0].numel()
    relevance = plus(net.features[5], maps, relevance)
    expected = (relevance.sum(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()
    close(relevance_cam(net, x, scores.logit(2), net.features[4], contrastive=contrastive), expected, 1e-5)
