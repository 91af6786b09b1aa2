"""Vanilla backprop, guided backprop and deconvnet compared with a backward pass by hand in float64."""

import pytest
import torch
from torch import nn

from camviz import METHODS, CamvizError, scores
from camviz.methods.deconvnet import deconvnet
from camviz.methods.guided_backprop import guided_backprop
from camviz.methods.vanilla_backprop import vanilla_backprop
from camviz.tape import counting_passes
from tests.methods.nets import (
    NETS,
    RELUS,
    SMOOTH,
    Activation,
    ByHand,
    Modules,
    Relu,
    Residual,
    build,
    by_hand,
    close,
    of_class,
    random_images,
)

PIXELS = {"plain": vanilla_backprop, "guided": guided_backprop, "deconvnet": deconvnet}


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_steps_by_hand_equal_the_network(kind):
    net, x, hand = by_hand(kind)
    close(hand.values[-1], net(x.clone()).detach())


def test_inputs_reach_both_ends_of_relu6():
    before = by_hand(Modules)[2].values[3]
    assert (before > 6).double().mean() > 0.05 and (before < 0).double().mean() > 0.05


@pytest.mark.parametrize("rule", PIXELS)
@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_pixel_gradients_equal_the_backward_pass_by_hand(kind, rule):
    net, x, hand = by_hand(kind)
    for c in (0, 5):
        _, expected = hand.back(of_class(c), rule)
        close(PIXELS[rule](net, x, scores.logit(c)), expected)


def test_vanilla_guided_and_deconvnet_differ():
    net, x, _ = by_hand(Residual)
    maps = [PIXELS[rule](net, x, scores.logit(0)) for rule in PIXELS]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (maps[one] - maps[other]).norm() > 0.1 * maps[one].norm()


@pytest.mark.parametrize("rule", PIXELS)
def test_pixel_gradients_of_contrast_and_probability(rule):
    net, x, hand = by_hand(Residual)

    def of_contrast(values):
        return of_class(1)(values) - of_class(4)(values)

    def of_probability(values):  # the derivative of softmax
        p = values.softmax(dim=1)
        return p[:, 2:3] * (of_class(2)(values) - p)

    for score, seed in ((scores.contrast(1, 4), of_contrast), (scores.probability(2), of_probability)):
        _, expected = hand.back(seed, rule)
        close(PIXELS[rule](net, x, score), expected)


class Forms(nn.Module):
    """Two convolutions, each followed by the same activation in the form to be tested."""

    def __init__(self, activation):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 5, 3, stride=2)
        self.activation, self.head = activation, nn.Linear(5, 7)
        with torch.no_grad():
            self.one.weight *= 6

    def forward(self, x):
        x = self.activation(self.one(x))
        x = self.activation(self.two(x))
        return self.head(x.mean(dim=(2, 3)))

    def steps(self, step):
        return [self.one, step, self.two, step, lambda x: self.head(x.mean(dim=(2, 3)))]


@pytest.mark.parametrize("rule", PIXELS)
@pytest.mark.parametrize("form", RELUS)
def test_every_form_of_relu_follows_the_rule(form, rule):
    activation, high = RELUS[form]
    net, x = build(Forms, activation=activation), random_images()
    _, expected = ByHand(net.steps(Relu(high)), x).back(of_class(2), rule)
    close(PIXELS[rule](net, x, scores.logit(2)), expected)


@pytest.mark.parametrize("rule", ["guided, smooth", "deconvnet"])
@pytest.mark.parametrize("name", SMOOTH)
def test_extended_applies_the_rule_to_smooth_activations(name, rule):
    activation, function, slope = SMOOTH[name]
    net, x = build(Forms, activation=activation), random_images()
    method = PIXELS[rule.partition(",")[0]]
    with pytest.raises(CamvizError, match=r"has none.*'extended'"):
        method(net, x, scores.logit(2))
    _, expected = ByHand(net.steps(Activation(function, slope)), x).back(of_class(2), rule)
    close(method(net, x, scores.logit(2), extended=True), expected)


def test_smooth_activations_beside_relus_have_a_note():
    net, x = build(Modules), random_images()
    net.features[1] = nn.SiLU()
    silu = Activation(*SMOOTH["nn.SiLU"][1:])
    steps = net.steps()
    with counting_passes() as counts:
        mixed = guided_backprop(net, x, scores.logit(2))
    assert counts.notes == [
        "1 smooth activations of this network are no ReLU and kept their plain gradient (2 ReLUs follow the method)."
    ]
    # By hand: guided down to the SiLU, from there the plain gradient.
    hand = ByHand([steps[0], silu, *steps[2:]], x)
    gradients, _ = hand.back(of_class(2), "guided")
    _, expected = hand.back(lambda _: gradients[1], "plain", 1)
    close(mixed, expected)
    with counting_passes() as counts:
        guided_backprop(net, x, scores.logit(2), extended=True)
    assert counts.notes == []


# ---------------------------------------------------------------------------------- deconvnet from one activation


def one_of(index, row=None, column=None):
    """Return the seed of one activation of feature map `index`: the strongest of each sample, or at a position."""

    def seed(values):
        gradient = torch.zeros_like(values)
        for sample, maps in enumerate(values):
            at = divmod(int(maps[index].argmax()), maps.shape[2])
            gradient[sample, index, at[0] if row is None else row, at[1] if column is None else column] = 1
        return gradient

    return seed


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_deconvnet_projects_one_activation_of_a_feature_map(kind):
    net, x, hand = by_hand(kind)
    for name, start in kind.layers.items():
        layer = net.get_submodule(name)
        for where in ((1,), (3, 2, 1)):
            _, expected = hand.back(one_of(*where), "deconvnet", start)
            knobs = dict(zip(("feature_map", "row", "column"), where, strict=False))
            close(deconvnet(net, x, scores.logit(0), layer, **knobs), expected)


def test_deconvnet_takes_the_strongest_of_a_row_or_column():
    net, x, hand = by_hand(Modules)
    feature_map = hand.values[4][0, 2]
    row, column = int(feature_map[:, 3].argmax()), int(feature_map[1].argmax())
    layer = net.features[4]
    for given, at in (({"column": 3}, (row, 3)), ({"row": 1}, (1, column))):
        _, expected = hand.back(one_of(2, *at), "deconvnet", 4)
        close(deconvnet(net, x, scores.logit(0), layer, feature_map=2, **given)[:1], expected[:1])


def test_deconvnet_keeps_one_activation_among_ties():
    net = build(Modules)
    with torch.no_grad():
        net.features[3].weight *= 100  # now most positive activations are cut off at exactly 6
    x = random_images()
    hand = ByHand(net.steps(), x)
    cut = (hand.values[4] == 6).sum(dim=(2, 3)).amin(dim=0)
    assert cut.max() > 4
    _, expected = hand.back(one_of(int(cut.argmax())), "deconvnet", 4)
    close(deconvnet(net, x, scores.logit(0), net.features[4], feature_map=int(cut.argmax())), expected)


def test_deconvnet_accepts_an_empty_sequential():
    net, x, hand = by_hand(Residual)
    assert len(net.first.down) == 0
    _, expected = hand.back(one_of(1), "deconvnet", 1)
    close(deconvnet(net, x, scores.logit(0), net.first.down, feature_map=1), expected)


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"feature_map": 5}, "feature maps 0 to 4; got feature map 5"),
        ({"feature_map": 0, "row": 5}, "rows 0 to 4; got row 5"),
        ({"feature_map": 0, "column": 7}, "columns 0 to 6; got column 7"),
    ],
)
def test_deconvnet_refuses_positions_outside_the_layer(knobs, sentence):
    net, x, _ = by_hand(Modules)
    with pytest.raises(CamvizError, match=sentence):
        deconvnet(net, x, scores.logit(0), net.features[4], **knobs)
    with pytest.raises(CamvizError, match="choose the layer too"):
        deconvnet(net, x, scores.logit(0), feature_map=0)


@pytest.mark.parametrize("key", ["guided_backprop", "deconvnet", "guided_grad_cam"])
def test_network_without_relu_is_refused_or_extended(key):
    net, x = build(Modules, activation=nn.SiLU), random_images()
    layer = [net.features[6]] if METHODS[key].layer == "required" else []
    with pytest.raises(CamvizError, match="this network has none"):
        METHODS[key](net, x, scores.logit(2), *layer)
    extended = METHODS[key](net, x, scores.logit(2), *layer, extended=True)
    plain = vanilla_backprop(net, x, scores.logit(2))
    assert (extended - plain).norm() > 0.1 * plain.norm()
