"""The controls: random weights, edges and a centered Gaussian, compared with their definitions."""

from math import exp

import numpy as np
import pytest
import torch
from pytorch_grad_cam import RandomCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from camviz import METHODS, scores
from camviz.methods.center_gaussian import center_gaussian
from camviz.methods.edge_detector import edge_detector
from camviz.methods.random_cam import random_cam
from camviz.tape import counting_passes
from tests.methods.nets import NETS, SIZE, Modules, build, by_hand, close, random_images

SCORE = scores.logit(2)


def weights(channels, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(channels, generator=generator, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_random_cam_equals_the_formula(kind):
    net, x, hand = by_hand(kind)
    for name, step in kind.layers.items():
        activation = hand.values[step]
        for seed in (0, 7):
            w = weights(activation.shape[1], seed)
            expected = sum(w[c] * activation[:, c] for c in range(len(w))).clamp(min=0)
            found = random_cam(net, x, SCORE, net.get_submodule(name), seed=seed)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(activation.abs().max()))


def test_random_cam_equals_grad_cam_package(monkeypatch):
    net, x = build(Modules, dtype=torch.float32), random_images(dtype=torch.float32)
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size: np.stack([weights(size[1], 3)] * size[0]))
    with RandomCAM(net, [net.features[6]]) as peer:
        found = peer(x, [ClassifierOutputTarget(2)] * 2)
    ours = random_cam(net, x, SCORE, net.features[6], seed=3)
    ours = torch.nn.functional.interpolate(ours[:, None], SIZE, mode="bilinear")[:, 0]
    low, high = ours.amin(dim=(1, 2), keepdim=True), ours.amax(dim=(1, 2), keepdim=True)
    assert float(high.min()) > 0
    # grad-cam stretches to 0..1 before it upsamples, so its maximum may lie a little below 1.
    assert np.corrcoef(found.flatten(), ((ours - low) / (high - low)).flatten())[0, 1] > 0.999


def test_random_weights_are_uniform():
    class Ones(torch.nn.Module):
        def forward(self, x):
            return x.new_zeros(len(x), 1000, 1, 1).scatter_(1, torch.full((len(x), 1, 1, 1), self.at), 1.0)

    layer = Ones()
    net = torch.nn.Sequential(layer, torch.nn.Flatten())
    found = []
    for layer.at in range(0, 1000, 2):
        found.append(float(random_cam(net, random_images(1), SCORE, layer)[0, 0, 0]))
    found = np.array(found)
    assert 0.4 < (found > 0).mean() < 0.6  # relu leaves the positive half
    assert found.max() > 0.95 and np.median(found[found > 0]) == pytest.approx(0.5, abs=0.08)


def test_edge_detector_on_a_step():
    x = torch.zeros(1, 3, 8, 10, dtype=torch.float64)
    x[:, :, :, 5:] = 3.0
    expected = torch.zeros(1, 8, 10, dtype=torch.float64)
    expected[:, :, 4:6] = 4 * 3.0  # Sobel's weights on one side of the step: 1 + 2 + 1
    assert torch.equal(edge_detector(None, x, SCORE), expected)
    assert torch.equal(edge_detector(None, x.mT.contiguous(), SCORE), expected.mT)
    assert (edge_detector(None, torch.full_like(x, 7.0), SCORE) == 0).all()


def test_edge_detector_is_the_mean_gradient_magnitude():
    i, j = torch.meshgrid(torch.arange(8.0).double(), torch.arange(10.0).double(), indexing="ij")
    ramp = (3 * i + 4 * j)[None, None] * torch.tensor([1.0, 2.0, 6.0]).double()[:, None, None]
    found = edge_detector(None, ramp, SCORE)
    close(found[:, 1:-1, 1:-1], torch.full((1, 6, 8), 8 * 5 * 3.0).double())  # 8 * |(3, 4)| * mean(1, 2, 6)
    x = random_images()
    close(edge_detector(None, x, SCORE)[:, ::1], edge_detector(None, x.flip(3), SCORE).flip(2))


def test_gaussian_is_centered_with_the_given_width():
    x = random_images(2, size=(20, 40))
    found = center_gaussian(None, x, SCORE, width=0.25)
    assert found.shape == (2, 20, 40) and torch.equal(found[0], found[1])
    close(found, found.flip(1))
    close(found, found.flip(2))
    middle = exp(-((0.5 / 20) ** 2 + (0.5 / 40) ** 2) / (2 * 0.25**2))  # the middle lies between four pixels
    assert float(found.max()) == pytest.approx(middle) and float(found[0, 9, 19]) == pytest.approx(middle)
    ratio = exp(-((10.5 / 40) ** 2 - (0.5 / 40) ** 2) / (2 * 0.25**2))
    assert float(found[0, 9, 30] / found[0, 9, 20]) == pytest.approx(ratio)
    ratio = exp(-((5.5 / 20) ** 2 - (0.5 / 20) ** 2) / (2 * 0.25**2))
    assert float(found[0, 15, 19] / found[0, 10, 19]) == pytest.approx(ratio)
    assert float(center_gaussian(None, x, SCORE, width=0.1).sum()) < 0.3 * float(found.sum())


def test_controls_are_marked_and_two_run_no_network():
    controls = {key for key, method in METHODS.items() if method.family == "control"}
    assert {"random_cam", "edge_detector", "center_gaussian"} <= controls
    assert all(METHODS[key].tooltip.startswith("A control:") for key in controls)
    net, x, _ = by_hand(Modules)
    with counting_passes() as counts:
        for key in ("edge_detector", "center_gaussian"):
            METHODS[key](net, x, SCORE)
    assert counts.forward_passes == 0
