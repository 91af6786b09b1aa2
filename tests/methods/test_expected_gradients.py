"""Expected gradients compared with a loop in float64 and with captum on the same random numbers."""

import captum.attr
import numpy as np
import pytest
import torch

from camviz import scores
from camviz.methods.expected_gradients import expected_gradients
from camviz.runtime.noise import normal_noise
from camviz.runtime.rng import Rng
from tests.methods.nets import Modules, Residual, build, close, random_images

SCORE = scores.logit(2)


def draws(x, count, reference, seed):
    """Draw the references and the positions on the paths one by one."""
    places = Rng(seed + 1)
    shape = (x.shape[1], 1, 1) if reference == "plain colors" else x.shape[1:]
    start = torch.cat([normal_noise(seed, [number], shape, x).expand(x[:1].shape) for number in range(count)])
    return start, [float(places.uniform(1, dtype=torch.float64)) for _ in range(count)]


@pytest.mark.parametrize("reference", ["plain colors", "noise"])
def test_expected_gradients_equal_the_loop(reference):
    net, x = build(Residual), random_images()
    expected = torch.zeros_like(x)
    for start, place in zip(*draws(x, 11, reference, 3), strict=True):
        point = (start + place * (x - start)).requires_grad_()
        (gradient,) = torch.autograd.grad(net(point)[:, 2].sum(), point)
        expected += (x - start) * gradient / 11
    close(expected_gradients(net, x, SCORE, samples=11, reference=reference, seed=3), expected)


def test_expected_gradients_equal_captum(monkeypatch):
    net, x = build(Modules, dtype=torch.float32), random_images(1, dtype=torch.float32)
    start, places = draws(x, 6, "noise", 0)
    monkeypatch.setattr(np.random, "choice", lambda count, size, *_, **__: np.arange(size))
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size: np.array(places))
    expected = captum.attr.GradientShap(net).attribute(x, start, n_samples=6, stdevs=0.0, target=2)
    close(expected_gradients(net, x, SCORE, samples=6, reference="noise"), expected.detach(), 1e-5)
