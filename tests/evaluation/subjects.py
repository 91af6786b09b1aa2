"""A small network in float64, an image, a random heatmap, and the class probability computed by hand."""

from contextlib import nullcontext

import torch

from camviz import METHODS, scores
from camviz.evaluation.registry import Subject
from tests.methods.nets import SIZE, Modules, build, random_images

TARGET = 2
SCORE = scores.probability(TARGET)
LAYER = "features.4"


def example(kind=Modules, dtype=torch.float64):
    net, x = build(kind, dtype=dtype), random_images(1, dtype)
    heatmap = torch.randn(SIZE, generator=torch.Generator().manual_seed(5), dtype=torch.float64).to(dtype)
    return net, x, heatmap


def probability_of(net, x, target=TARGET):
    """Return the probability of the class for one image (3, H, W) or (1, 3, H, W)."""
    with torch.no_grad():
        scores = net(x.reshape(1, *x.shape[-3:]).clone())[0]
    weights = (scores - scores.max()).exp()
    return float(weights[target] / weights.sum())


def grad_cam(net, x, target=TARGET):
    return METHODS["grad_cam"](net, x, scores.logit(target), net.get_submodule(LAYER))


def gradient(net, x, target=TARGET):
    return METHODS["vanilla_backprop"](net, x, scores.logit(target))


class Fixed:
    """A given map with the interface of torchcam's extractors."""

    def __init__(self, net, heatmap):
        self.model, self.heatmap, self._hooks_off = net, heatmap, nullcontext

    def __call__(self, *_, **__):
        return [self.heatmap[None]]

    def fuse_cams(self, cams):
        return cams[0]


def subject(method=grad_cam):
    net, x, _ = example()
    return Subject(
        net,
        x,
        SCORE,
        method(net, x)[0],
        explain=method,
        explain_class=lambda index: method(net, x, index),
        target=TARGET,
        classes=(0, 1, 2, 3),
    )
