"""Networks that return probabilities without a final softmax or sigmoid: their probability and the explained score."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import camviz

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


class Ends(nn.Module):
    """A small network of `classes` logits, followed by the function `end`."""

    def __init__(self, end, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
        self.logits, self.end = nn.Linear(5, classes), end

    def plain(self, x):
        return self.logits(self.maps(x).mean((2, 3)))

    def forward(self, x):
        return self.end(self.plain(x))


def gradient(net, x, score):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(score(net.plain(x)).sum(), x)[0][0].numpy()


@pytest.mark.parametrize(
    ("end", "classes", "score"),
    [
        (lambda z: z.softmax(1)[:, 1], 3, lambda z: z[:, 1] - z[:, [0, 2]].logsumexp(1)),
        (lambda z: z.softmax(1)[:, 1:2], 2, lambda z: z[:, 1] - z[:, 0]),
    ],
)
def test_one_of_several_probabilities_is_explained_by_its_log_odds(end, classes, score):
    net = Ends(end, classes)
    model = camviz.load_model(net, input_size=32)
    x = model.preprocess(IMAGE)
    (first,) = model.predict(IMAGE)
    assert first.probability == pytest.approx(float(net(x)), abs=1e-6)
    found = camviz.explain(model, IMAGE, "vanilla_backprop").attribution
    np.testing.assert_allclose(found, gradient(net, x, score), rtol=1e-3, atol=1e-7)


def test_manual_sigmoid_with_head_none_is_explained_by_its_logit():
    net = Ends(lambda z: 1 / (1 + torch.exp(-z)), 1)
    model = camviz.load_model(net, input_size=32, head="none", categories=["healthy", "sick"])
    x = model.preprocess(IMAGE)
    shares = {one.label: one.probability for one in model.predict(IMAGE)}
    assert shares["sick"] == pytest.approx(float(net(x)), abs=1e-6) and sum(shares.values()) == pytest.approx(1)
    for label, sign in (("sick", 1), ("healthy", -1)):
        found = camviz.explain(model, IMAGE, "vanilla_backprop", target=label).attribution
        np.testing.assert_allclose(found, gradient(net, x, lambda z, sign=sign: sign * z), rtol=1e-3, atol=1e-7)


def test_number_with_a_unit_is_no_probability():
    model = camviz.load_model(Ends(lambda z: F.hardsigmoid(z), 1), input_size=32, head="none", unit="mm")
    (first,) = model.predict(IMAGE)
    assert math.isnan(first.probability) and 0 < first.value < 1 and first.shown() == f"{first.value:.3g} mm"
    assert "nan" not in camviz.explain(model, IMAGE, "grad_cam")._repr_html_().split("<p>")[1]


def test_probabilities_that_sum_to_1_are_recognized_and_noted():
    net = Ends(lambda z: z.exp() / z.exp().sum(1, keepdim=True))
    model = camviz.load_model(net, input_size=32)
    own = net(model.preprocess(IMAGE))[0]
    assert {one.index: one.probability for one in model.predict(IMAGE)} == pytest.approx(dict(enumerate(own.tolist())))
    assert any("squashed score" in note for note in camviz.explain(model, IMAGE, "grad_cam").notes)


@pytest.mark.parametrize("classes", [1, 4])
def test_squeezed_output_is_explained(classes):
    net = Ends(lambda z: z.squeeze(), classes)
    model = camviz.load_model(net, input_size=32)
    assert len(model.categories) == classes
    x = model.preprocess(IMAGE)
    found = camviz.explain(model, IMAGE, "vanilla_backprop", target=0).attribution
    np.testing.assert_allclose(found, gradient(net, x, lambda z: z[:, 0]), rtol=1e-4, atol=1e-8)
    assert camviz.explain(model, IMAGE, "occlusion", target=0, size=16, stride=8).attribution.any()


def test_clamped_probabilities_are_those_of_the_logits():
    net = Ends(lambda z: z.sigmoid().clamp(1e-4, 1 - 1e-4), 4)
    model = camviz.load_model(net, input_size=32)
    own = net(model.preprocess(IMAGE))[0]
    assert {one.index: one.probability for one in model.predict(IMAGE)} == pytest.approx(dict(enumerate(own.tolist())))
