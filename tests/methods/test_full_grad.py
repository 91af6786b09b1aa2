"""FullGrad: bias terms by hand, completeness, and the package grad-cam."""

import pytest
import torch
import torch.nn.functional as F
from pytorch_grad_cam import FullGrad
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from camviz import scores
from camviz.methods.full_grad import full_grad, scaled, spread
from camviz.tape import bias_gradients, counting_passes
from tests.methods.nets import (
    NETS,
    SMOOTH,
    Functional,
    Modules,
    Residual,
    build,
    by_hand,
    close,
    of_class,
    random_images,
)

EVERY_NET = pytest.mark.parametrize("kind", NETS.values(), ids=NETS)


def expected_terms(kind, c):
    """Return the gradients by hand times the biases, in forward order."""
    net, _, hand = by_hand(kind)
    gradients, at_pixels = hand.back(of_class(c))

    def bias(layer, step):
        return layer.bias.detach()[:, None, None] * gradients[step]

    def through(norm, step):
        """Return the gradient before a batch norm, and the term of its shift."""
        scale = norm.weight / (norm.running_var + norm.eps) ** 0.5
        shift = norm.bias - norm.running_mean * scale
        return (a.detach()[:, None, None] * gradients[step] for a in (scale, shift))

    if kind is Modules:
        f, cut = net.features, 6 * (hand.values[3] >= 6) * gradients[4]
        assert cut.any()
        terms = [bias(f[0], 0), bias(f[3], 3), cut, bias(f[5], 5)]
    elif kind is Functional:
        # Its first step takes 0.3 off the pixels, which is no bias of a layer.
        terms = [bias(net.one, 0), bias(net.two, 3), bias(net.three, 5)]
    else:
        terms = [bias(net.stem, 0)]
        for block, steps in ((net.first, (3, 5)), (net.second, (9, 11))):
            terms += [list(through(norm, step))[1] for norm, step in zip((block.bn1, block.bn2), steps, strict=True)]
        terms.append(bias(net.second.down, 12))
    head = net.head if kind is Functional else net.head[-1]
    terms.append(F.one_hot(torch.tensor(c), 7) * head.bias.detach().expand(2, -1))
    return at_pixels, terms


@EVERY_NET
@pytest.mark.parametrize("c", [1, 4])
def test_bias_terms_equal_those_by_hand(kind, c):
    net, x, hand = by_hand(kind)
    gradient, terms, explained = bias_gradients(net, x, scores.logit(c))
    at_pixels, expected = expected_terms(kind, c)
    close(gradient, at_pixels)
    torch.testing.assert_close(explained, hand.values[-1][:, c])
    assert len(terms) == len(expected)
    for term, other in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, other, rtol=1e-10, atol=1e-13)


def completeness(net, x, score):
    gradient, terms, explained = bias_gradients(net, x, score)
    return sum(term.flatten(1).sum(dim=1) for term in (gradient * x, *terms)), explained


@pytest.mark.parametrize("kind", [Modules, Residual])
def test_terms_sum_up_to_the_score(kind):
    net, x, _ = by_hand(kind)
    for score in (scores.logit(4), scores.contrast(2, 5)):
        total, explained = completeness(net, x, score)
        torch.testing.assert_close(total, explained, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_terms_sum_up_to_the_score_with_smooth_activations(name):
    torch.manual_seed(0)
    net = Modules().double().eval()
    net.features[1] = net.features[4] = Called(SMOOTH[name][0])
    net.features.double()
    total, explained = completeness(net, random_images(), scores.logit(4))
    torch.testing.assert_close(total, explained, rtol=1e-9, atol=1e-11)


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_bias_terms_of_linear_layers_over_positions():
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.maps, self.rows, self.head = nn.Conv2d(3, 5, 3), nn.Linear(5, 4), nn.Linear(4, 7)

        def forward(self, x):
            return self.head(F.gelu(self.rows(self.maps(x).permute(0, 2, 3, 1))).mean(dim=(1, 2)))

    net, x = build(Rows), random_images()
    total, explained = completeness(net, x, scores.logit(4))
    torch.testing.assert_close(total, explained, rtol=1e-10, atol=1e-12)
    shapes = [tuple(term.shape) for term in bias_gradients(net, x, scores.logit(4))[1]]
    assert shapes == [(2, 5, 18, 26), (2, 4, 18, 26), (2, 4, 18, 26), (2, 7)]


class Windows(Functional):
    """The last convolution runs on four windows of the feature maps, which are in its batch."""

    def forward(self, x):
        x = F.relu(self.two(F.relu(self.one(x))))
        x = x[:, :, :18, :26].unflatten(2, (2, 9)).unflatten(4, (2, 13)).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        x = F.relu(self.three(x)).unflatten(0, (-1, 4)).mean(dim=1)
        return self.head(x.mean(dim=(2, 3)))


def test_terms_of_windows_count_to_the_sum_but_not_to_the_map():
    net, x = build(Windows), random_images()
    with counting_passes() as counts:
        found = full_grad(net, x, scores.logit(1), scale="none")
    assert not counts.notes  # the terms sum up to the score
    gradient, terms, _ = bias_gradients(net, x, scores.logit(1))
    assert [len(term) for term in terms] == [2, 2, 8, 2]
    close(found.sum(dim=(1, 2)), sum(term.flatten(1).sum(dim=1) for term in (gradient * x, *terms[:2])))


@EVERY_NET
def test_signed_map_sums_to_the_spatial_terms(kind):
    net, x, _ = by_hand(kind)
    gradient, terms, _ = bias_gradients(net, x, scores.logit(4))
    total = sum(term.sum(dim=(1, 2, 3)) for term in (gradient * x, *terms) if term.ndim == 4)
    close(full_grad(net, x, scores.logit(4), scale="none").sum(dim=(1, 2)), total)


def test_spread_keeps_sum_and_position():
    for h, w in ((1, 1), (3, 5), (20, 28), (7, 28), (21, 30)):
        term = torch.randn(2, 3, h, w, dtype=torch.float64)
        close(spread(term, torch.Size((20, 28))).sum(dim=(2, 3)), term.sum(dim=(2, 3)))
    one = torch.zeros(1, 1, 5, 7, dtype=torch.float64)
    one[0, 0, 0, 6] = 1
    result = spread(one, torch.Size((20, 28)))[0, 0]
    assert result.min() >= 0 and result[:4, -4:].sum() > 0.7 and (result[8:] == 0).all()


@pytest.mark.parametrize("scale", ["layer", "channel"])
def test_full_grad_equals_the_formula(scale):
    net, x, _ = by_hand(Residual)
    gradient, terms, _ = bias_gradients(net, x, scores.logit(4))
    expected = torch.zeros(2, 20, 28, dtype=torch.float64)
    for term in (gradient * x, *terms[:-1]):
        for b in range(2):
            low, high = term[b].abs().min(), term[b].abs().max()
            for channel in term[b].abs():
                if scale == "channel":
                    low, high = channel.min(), channel.max()
                if low == high:
                    continue
                image = (channel - low) / (high - low)
                expected[b] += F.interpolate(image[None, None], (20, 28), mode="bilinear")[0, 0]
    close(full_grad(net, x, scores.logit(4), scale=scale), expected)


def test_constant_terms_are_scaled_to_zero():
    assert (scaled(torch.full((1, 2, 3, 4), -2.0), "layer") == 0).all()
    assert (scaled(torch.full((1, 2, 3, 4), -2.0), "channel") == 0).all()


def test_incomplete_terms_have_a_note():
    for kind, complete in ((Modules, True), (Residual, True), (Gated, False)):
        net = build(kind)
        with counting_passes() as counts:
            full_grad(net, random_images(), scores.logit(4))
        total, explained = completeness(net, random_images(), scores.logit(4))
        assert torch.allclose(total, explained) is complete
        assert counts.notes == [] if complete else f"{float(total[0] / explained[0]):.0%}" in counts.notes[0]
        assert (counts.forward_passes, counts.backward_passes) == (2, 2)


class Gated(Modules):
    def forward(self, x):
        maps = self.features(x)
        return self.head(maps * maps.mean(dim=(2, 3), keepdim=True).sigmoid())


def test_full_grad_equals_grad_cam_package():
    torch.manual_seed(0)
    parts = [
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 9, 3, stride=2),
        nn.BatchNorm2d(9),
        nn.ReLU(),
    ]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(36, 7)).eval()
    for norm in (net[1], net[4]):
        nn.init.normal_(norm.running_mean, 0, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    x = 100 * random_images(2, torch.float32)
    with FullGrad(net, []) as theirs:
        expected = torch.from_numpy(theirs(x, [ClassifierOutputTarget(4)] * 2))
    ours = full_grad(net, x, scores.logit(4), scale="channel")
    low, high = ours.amin(dim=(1, 2), keepdim=True), ours.amax(dim=(1, 2), keepdim=True)
    assert ((ours - low) / (high - low) - expected).norm() < 1e-3 * expected.norm()
