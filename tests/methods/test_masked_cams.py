"""SS-CAM and IS-CAM compared with loops over single masks and with torchcam."""

import pytest
import torch
import torchcam.methods
from torch import nn
from torch.nn.functional import interpolate

from camviz import METHODS, scores
from camviz.methods.is_cam import is_cam
from camviz.methods.score_cam import score_cam
from camviz.methods.ss_cam import ss_cam
from camviz.runtime.noise import normal_noise
from camviz.tape import counting_passes
from tests.methods.nets import Modules, Residual, build, by_hand, random_images

LAYERS = {Modules: "features.4", Residual: "second"}
EVERY_NET = pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__.lower())
SCORE = scores.contrast(2, 5)


def cam_by_loop(net, x, activation, variants):
    """Compute Score-CAM's formula by loops; each score is the mean over `variants(mask, channel)`."""
    maps = []
    for one, channels in zip(x, activation, strict=True):
        means, used = [], []
        for number, channel in enumerate(channels):
            if channel.min() == channel.max():
                continue
            mask = interpolate(channel[None, None], x.shape[2:], mode="bilinear")[0, 0]
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            with torch.no_grad():
                found = [float(SCORE(net((one * variant)[None]))) for variant in variants(mask, len(used))]
            means.append(sum(found) / len(found))
            used.append(number)
        weight = torch.tensor(means, dtype=torch.float64).softmax(dim=0)
        maps.append(sum(w * channels[c] for w, c in zip(weight, used, strict=True)).clamp(min=0))
    return torch.stack(maps)


def noise_of(seed, samples, channels, size):
    """Return the noise of the channels that are not constant, the same for each image."""
    fields = [normal_noise(seed, [number], size, torch.zeros((), dtype=torch.float64))[0] for number in range(99)]
    return [fields[channel * samples : (channel + 1) * samples] for channel in range(channels)]


@EVERY_NET
def test_ss_cam_equals_the_loop(kind):
    net, x, hand = by_hand(kind)
    activation, fields = hand.values[kind.layers[LAYERS[kind]]], noise_of(3, 4, 6, x.shape[2:])
    expected = cam_by_loop(net, x, activation, lambda mask, c: [mask + 1.5 * field for field in fields[c]])
    layer = net.get_submodule(LAYERS[kind])
    result = ss_cam(net, x, SCORE, layer, samples=4, noise=1.5, seed=3)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-12)
    assert (ss_cam(net, x, SCORE, layer, samples=4, noise=1.5, seed=4) - expected).abs().max() > 1e-6


@EVERY_NET
@pytest.mark.parametrize("path", ["summed", "even"])
def test_is_cam_equals_the_loop(kind, path):
    net, x, hand = by_hand(kind)
    strengths = {"even": [0.2, 0.4, 0.6, 0.8, 1.0], "summed": [0.2, 0.6, 1.2, 2.0, 3.0]}[path]
    activation = hand.values[kind.layers[LAYERS[kind]]]
    expected = cam_by_loop(net, x, activation, lambda mask, _: [t * mask for t in strengths])
    result = is_cam(net, x, SCORE, net.get_submodule(LAYERS[kind]), steps=5, path=path)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-12)


@EVERY_NET
def test_ss_cam_without_noise_and_is_cam_of_one_step_equal_score_cam(kind):
    net, x, _ = by_hand(kind)
    layer = net.get_submodule(LAYERS[kind])
    expected = score_cam(net, x, SCORE, layer)
    for result in (
        ss_cam(net, x, SCORE, layer, samples=3, noise=0),
        is_cam(net, x, SCORE, layer, steps=1),
        is_cam(net, x, SCORE, layer, steps=1, path="even"),
    ):
        torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)


def test_batch_size_changes_neither_map_nor_noise(monkeypatch):
    net, x, _ = by_hand(Modules)
    for method, knobs in ((ss_cam, {"samples": 5}), (is_cam, {"steps": 5})):
        maps = []
        for size in (1, 4, 7, 100):
            monkeypatch.setattr("camviz.acceleration.many_passes.batch_size", lambda *_, size=size: size)
            done = []
            maps.append(
                method(net, x, SCORE, net.features[0], progress=lambda d, t, done=done: done.append((d, t)), **knobs)
            )
            assert done[-1] == (40, 40) and len(set(done)) == 2 * -(-20 // size)
        for other in maps[1:]:
            torch.testing.assert_close(other, maps[0], rtol=1e-10, atol=1e-12)


def test_passes_equal_the_number_of_masks():
    net, x, hand = by_hand(Modules)
    used = int((hand.values[6].amax(dim=(2, 3)) > hand.values[6].amin(dim=(2, 3))).sum())
    for method, knobs in ((ss_cam, {"samples": 5}), (is_cam, {"steps": 5})):
        with counting_passes() as counts:
            method(net, x, SCORE, net.features[6], **knobs)
        assert (counts.forward_passes, counts.backward_passes) == (2 + 5 * used, 0)  # two images


@pytest.mark.parametrize("key", ["ss_cam", "is_cam"])
def test_fast_mode_is_within_2_percent(key):
    net, x, _ = by_hand(Modules)
    expected = METHODS[key](net, x, SCORE, net.features[6])
    net = build(Modules, dtype=torch.float32)
    result = METHODS[key](net, x.float(), SCORE, net.features[6], mode="fast")
    assert (result - expected).norm() < 2e-2 * expected.norm()


# torchcam brings a map to 0..1 before it upsamples it, so the two are equal where nothing is upsampled: features.1.


def relative(ours, theirs):
    assert theirs.max() > 0
    ours, theirs = ours / ours.max(), theirs / theirs.max()
    return float((ours - theirs).norm() / theirs.norm())


def test_ss_cam_equals_torchcam(monkeypatch):
    net, x, _ = by_hand(Modules)
    fields = torch.stack([torch.stack(one) for one in noise_of(0, 6, 4, x.shape[2:])])  # channels, samples, H, W
    with torchcam.methods.SSCAM(net, "features.1", num_samples=6, std=0.7, input_shape=(3, 20, 28)) as theirs:
        draws = iter(range(6))
        monkeypatch.setattr(theirs._distrib, "sample", lambda size: 0.7 * fields[None, :, next(draws)])
        with torch.no_grad():
            output = net(x[:1])
            (expected,) = theirs(4, output, normalized=False)
    ours = ss_cam(net, x[:1], scores.logit(4), net.features[1], samples=6, noise=0.7)
    assert relative(ours, expected) < 1e-6


def test_is_cam_equals_torchcam():
    net, x, _ = by_hand(Modules)
    with torchcam.methods.ISCAM(net, "features.1", num_samples=6, input_shape=(3, 20, 28)) as theirs, torch.no_grad():
        output = net(x[:1])
        (expected,) = theirs(4, output, normalized=False)
    ours = is_cam(net, x[:1], scores.logit(4), net.features[1], steps=6)
    assert relative(ours, expected) < 1e-5


@pytest.mark.parametrize("method", [score_cam, ss_cam, is_cam])
def test_networks_that_call_view_work(method):
    """In the memory layout that is fastest for a batch, view() would fail where reshape() works."""

    class Viewing(nn.Module):
        def __init__(self, view):
            super().__init__()
            self.maps, self.head, self.view = nn.Conv2d(3, 5, 3, stride=4), nn.Linear(5 * 5 * 7, 7), view

        def forward(self, x):
            x = self.maps(x).relu()
            return self.head(x.view(x.size(0), -1) if self.view else x.reshape(len(x), -1))

    maps = [
        method(net := build(Viewing, view=view), random_images(), scores.logit(4), net.maps) for view in (True, False)
    ]
    assert maps[0].max() > 0 and torch.equal(*maps)
