"""Augmentation smoothing: the mean of the base method's maps; choices of base methods."""

import torch

from camviz import METHODS, scores
from camviz.methods.augmentation_smoothing import augmentation_smoothing
from tests.methods.nets import Residual, build, close, random_images

SCORE = scores.logit(2)


def test_augmentation_smoothing_is_the_mean_of_mirrored_maps():
    net, x = build(Residual), random_images()
    for base, layer in (("grad_cam", [net.second]), ("vanilla_backprop", [])):
        maps = [
            METHODS[base](net, torch.flip(factor * x, [3]) if flip else factor * x, SCORE, *layer)
            for factor in (0.9, 1.0, 1.1)
            for flip in (False, True)
        ]
        expected = sum(one.flip(-1) if number % 2 else one for number, one in enumerate(maps)) / 6
        close(augmentation_smoothing(net, x, SCORE, net.second, base=base), expected)
    plain = augmentation_smoothing(net, x, SCORE, net.second, mirrored=False, contrasts=1)
    assert torch.equal(plain, METHODS["grad_cam"](net, x, SCORE, net.second))


def test_base_methods_are_those_of_the_registry():
    bases = METHODS["augmentation_smoothing"].knobs["base"].choices
    assert {"grad_cam", "deep_lift", "fem", "lrp"} <= {*bases}
    assert not {"smooth_grad", "rise", "random_cam", "augmentation_smoothing"} & {*bases}
    smoothed = METHODS["smooth_grad"].knobs["base"].choices
    assert {"deep_lift", "idgi", "vanilla_backprop"} <= {*smoothed}
    assert not {"expected_gradients", "smooth_grad", "grad_cam", "guided_grad_cam"} & {*smoothed}
    assert {"grad_cam", "shapley_cam"} <= {*METHODS["refine_cam"].knobs["base"].choices}
