"""Score-CAM compared with a loop over channels and samples."""

import pytest
import torch
from torch import nn

from camviz import METHODS, scores
from camviz.acceleration.many_passes import many_passes
from camviz.methods.score_cam import score_cam
from camviz.runtime import batching
from camviz.tape import counting_passes
from tests.methods.nets import NETS, Modules, build, by_hand, random_images, score_cam_by_hand

WEIGHTINGS = ("channel softmax", "class probability")


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_score_cam_equals_the_loop_in_float64(kind, weighting):
    net, x, hand = by_hand(kind)
    score = scores.logit(4) if weighting == "class probability" else scores.contrast(2, 5)
    for name, step in kind.layers.items():
        expected = score_cam_by_hand(Copying(net), x, score, hand.values[step], weighting)
        result = score_cam(net, x, score, net.get_submodule(name), weighting=weighting)
        assert result.dtype == torch.float64
        torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10 * float(expected.max()))


class Copying(nn.Module):
    """The network on a copy of its input, which Functional overwrites."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.clone())


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_score_cam_in_float32_and_fast_mode_is_near_the_loop(weighting, mode):
    _, x, hand = by_hand(Modules)
    net = build(Modules, dtype=torch.float32)
    expected = score_cam_by_hand(by_hand(Modules)[0], x, scores.logit(4), hand.values[6], weighting)
    method = METHODS["score_cam"]
    result = method(net, x.float(), scores.logit(4), net.features[6], weighting=weighting, mode=mode)
    assert result.dtype == torch.float32
    tolerance = 1e-4 if mode == "exact" else 2e-2
    assert (result - expected).norm() < tolerance * expected.norm()


def test_weightings_differ():
    net, x, _ = by_hand(Modules)
    one, other = (score_cam(net, x, scores.logit(4), net.features[6], weighting=w) for w in WEIGHTINGS)
    assert (one / one.max() - other / other.max()).abs().max() > 0.01


def test_constant_channels_are_left_out():
    net, x = build(Modules), random_images()
    with torch.no_grad():
        for constant, value in ((1, -100.0), (4, 3.0)):  # after ReLU 0 everywhere; and 3 everywhere
            net.features[5].weight[constant] = 0
            net.features[5].bias[constant] = value
    activation = net.features(x).detach()
    assert (activation[:, 4] == 3).all() and (activation[:, 1] == 0).all()
    expected = score_cam_by_hand(net, x, scores.logit(4), activation)
    done = []
    result = score_cam(net, x, scores.logit(4), net.features[6], progress=lambda *numbers: done.append(numbers))
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)
    assert done[-1] == (12, 12)


def test_layer_of_constant_channels_gives_an_empty_map():
    net, x = build(Modules), random_images()
    with torch.no_grad():
        net.features[5].weight.zero_()
        net.features[5].bias.fill_(2)
    done = []
    result = score_cam(net, x, scores.logit(4), net.features[6], progress=lambda *numbers: done.append(numbers))
    assert result.shape == (2, 5, 7) and (result == 0).all()
    assert done == [(6, 12), (12, 12)]


def test_batch_size_does_not_change_score_cam(monkeypatch):
    net, x, _ = by_hand(Modules)
    maps, passes = [], []
    for size in (1, 2, 3, 6, 100):
        monkeypatch.setattr("camviz.acceleration.many_passes.batch_size", lambda *_, size=size: size)
        done = []
        maps.append(
            score_cam(net, x, scores.logit(4), net.features[0], progress=lambda d, _, done=done: done.append(d))
        )
        passes.append(len(set(done)))
    assert passes == [8, 4, 4, 2, 2]  # two images of four channels
    for other in maps[1:]:
        torch.testing.assert_close(other, maps[0], rtol=1e-10, atol=1e-12)


def test_score_cam_costs_one_pass_per_active_channel():
    net, x, hand = by_hand(Modules)
    active = (hand.values[6].amax(dim=(2, 3)) > hand.values[6].amin(dim=(2, 3))).sum()
    with counting_passes() as counts:
        score_cam(net, x, scores.logit(4), net.features[6])
    assert (counts.forward_passes, counts.backward_passes) == (2 + active, 0)  # two images


def test_batch_size_follows_the_work_of_the_network(monkeypatch):
    net, x, _ = by_hand(Modules)
    # By hand: output cells * channels * kernel, of the three convolutions and the linear layer.
    work = 20 * 28 * 4 * 27 + 5 * 7 * 5 * 36 + 5 * 7 * 6 * 45 + 6 * 7
    for limit, size, with_gradient in (
        (1e9, batching.MAX_BATCH_SIZE, batching.MAX_BATCH_SIZE),
        (3.5 * work, 3, 1),
        (0.5 * work, 1, 1),
    ):
        monkeypatch.setattr(batching, "MAX_BATCH_WORK", limit)
        with many_passes(net, x) as passes:
            assert (passes.size, passes.size_with_gradient) == (size, with_gradient)


def test_batch_size_follows_the_largest_tensor(monkeypatch):
    net, x, _ = by_hand(Modules)
    largest = 20 * 28 * 4 * 8  # bytes of the first convolution's result, by hand
    monkeypatch.setattr(batching, "MAX_TENSOR_BYTES", 2.5 * largest)
    with many_passes(net, x) as passes:
        assert (passes.size, passes.size_with_gradient) == (2, 2)


def test_batches_are_even_complete_and_reported():
    done = []
    parts = list(batching.batches(7, 3, lambda *numbers: done.append(numbers)))
    assert parts == [slice(0, 2), slice(2, 4), slice(4, 7)]
    assert done == [(2, 7), (4, 7), (7, 7)]
    assert [part.stop - part.start for part in batching.batches(16, 6, None)] == [5, 5, 6]
    assert list(batching.batches(0, 3, None)) == []
