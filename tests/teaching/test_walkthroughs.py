"""The steps of a method: they belong to the very run that makes the map, and give it again when put together."""

import sys
import threading

import pytest
import torch

from camviz import scores
from camviz.methods.grad_cam import grad_cam
from camviz.methods.integrated_gradients import integrated_gradients
from camviz.methods.score_cam import score_cam
from camviz.tape import forward, input_gradient
from camviz.teaching import walkthroughs
from camviz.teaching.local_variables import tracing
from tests.methods.nets import Functional, Modules, Residual, build, close, picture

SCORE = scores.logit(4)


@pytest.fixture
def net():
    return build(Modules)


@pytest.fixture
def x():
    return picture(batch=1)


# --------------------------------------------------------------------------------------------------------- tracing


def test_tells_the_local_variables_and_the_result():
    told = []

    def twice(number):
        double = 2 * number
        return double + 1

    with tracing({twice: lambda variables, result: told.append((dict(variables), result))}):
        twice(3)
        twice(5)
    twice(7)
    assert told == [({"number": 3, "double": 6}, 7), ({"number": 5, "double": 10}, 11)]


def test_the_profiler_before_comes_back_even_after_an_error():
    def before(*_):
        return None

    sys.setprofile(before)
    try:
        with pytest.raises(ZeroDivisionError), tracing({}):
            1 / 0  # noqa: B018
        assert sys.getprofile() is before
    finally:
        sys.setprofile(None)


def test_another_thread_is_not_watched(net, x):
    told = []
    layer = net.features[6]
    with tracing({grad_cam: lambda *_: told.append(1)}):
        thread = threading.Thread(target=grad_cam, args=(net, x, SCORE, layer))
        thread.start()
        thread.join()
        assert told == []
        grad_cam(net, x, SCORE, layer)
    assert told == [1]


def test_watched_or_not_the_map_is_the_same_to_the_bit(net, x):
    layer = net.features[4]
    assert torch.equal(walkthroughs.of_grad_cam(net, x, SCORE, layer).result, grad_cam(net, x, SCORE, layer)[0])
    assert torch.equal(walkthroughs.of_score_cam(net, x, SCORE, layer).result, score_cam(net, x, SCORE, layer)[0])
    path = walkthroughs.of_integrated_gradients(net, x, SCORE, steps=9)
    assert torch.equal(path.result, integrated_gradients(net, x, SCORE, steps=9)[0])


# ------------------------------------------------------------------------------------------------------- the steps


def test_the_steepest_pixel_moves_the_score_as_its_gradient_says(net, x):
    steps = walkthroughs.of_vanilla_backprop(net, x, SCORE)
    assert abs(steps.result[steps.place]) == steps.result.abs().max()
    assert steps.predicted != 0
    assert steps.real == pytest.approx(steps.predicted, rel=0.05)


def test_grad_cam_is_the_relu_of_the_sum_of_its_weighted_maps(net, x):
    steps = walkthroughs.of_grad_cam(net, x, SCORE, net.features[4])
    close(steps.sum_of(len(steps.weight)).relu(), steps.result)
    close(steps.weight, steps.gradient.mean(dim=(1, 2)))
    parts = (steps.weight * steps.activation.sum(dim=(1, 2))).abs()
    assert parts[steps.order].diff().max() <= 0
    first = int(steps.order[0])
    close(steps.sum_of(1), steps.weight[first] * steps.activation[first])


@pytest.mark.parametrize("kind", [Modules, Functional, Residual])
@pytest.mark.parametrize("steps_of", [walkthroughs.of_guided_backprop, walkthroughs.of_deconvnet])
def test_every_relu_is_there_in_the_order_from_the_picture(kind, steps_of, x):
    net = build(kind)
    relus = {Modules: 3, Functional: 3, Residual: 4}[kind]
    steps = steps_of(net, x, SCORE)
    assert [bend.number for bend in steps.bends] == list(range(len(steps.bends)))
    assert len(steps.bends) >= relus
    heights = [bend.gradient.shape[-1] for bend in steps.bends]
    assert heights == sorted(heights, reverse=True)  # the finest first
    if kind is Modules:
        activation = net.features[:2](x)[0]
        close(steps.bends[0].slope.double(), (activation > 0).double())


def test_the_rules_on_numbers():
    gradient, slope = torch.tensor([[2.0, -1.0], [-3.0, 4.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    found = walkthroughs.rules(gradient, slope)
    close(found["plain gradient"], torch.tensor([[2.0, -1.0], [0.0, 0.0]]))
    close(found["deconvnet"], torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    close(found["guided backpropagation"], torch.tensor([[2.0, 0.0], [0.0, 0.0]]))


def test_score_cam_s_stencils_have_the_scores_that_make_the_weights(net, x):
    layer = net.features[4]
    steps = walkthroughs.of_score_cam(net, x, SCORE, layer)
    close(steps.weight, steps.scores.softmax(dim=0))
    close((steps.weight[:, None, None] * steps.activation).sum(dim=0).relu(), steps.result)
    mask = torch.nn.functional.interpolate(
        steps.activation[:, None], size=x.shape[-2:], mode="bilinear", align_corners=False
    )
    low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
    masked = x * (mask - low) / (high - low)
    close(steps.scores, forward(net, masked)[:, 4].detach())
    side = walkthroughs.THUMBNAIL
    close(steps.pictures, torch.nn.functional.interpolate(masked, size=(side, side), mode="area"))


def test_the_shares_of_the_way_add_up_to_the_map(net, x):
    steps = walkthroughs.of_integrated_gradients(net, x, SCORE, steps=50)
    assert float(steps.added.sum()) == pytest.approx(float(steps.result.sum()))
    with torch.no_grad():
        rise = float(forward(net, x)[0, 4] - forward(net, torch.zeros_like(x))[0, 4])
    assert steps.rise == pytest.approx(rise)
    assert float(steps.added.sum()) == pytest.approx(rise, rel=0.05)
    close(steps.place.sort().values, steps.place)
    half = x * steps.place[7]
    close(
        steps.gradients[7], walkthroughs._small(input_gradient(net, half, SCORE).abs().sum(dim=1, keepdim=True))[0, 0]
    )


def test_the_relevance_of_a_network_without_biases_is_the_score_at_every_layer(x):
    net = build(Modules, activation=torch.nn.ReLU)
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            torch.nn.init.zeros_(module.bias)
    layers = {name: net.get_submodule(name) for name in ("features.2", "features.4", "features.6")}
    steps = walkthroughs.of_lrp(net, x, SCORE, layers)
    assert steps.layers == tuple(layers)
    assert steps.relevance == pytest.approx([steps.score] * 3, rel=1e-3)


def test_guided_grad_cam_s_two_factors(net, x):
    steps = walkthroughs.of_guided_grad_cam(net, x, SCORE, net.features[6])
    region = torch.nn.functional.interpolate(
        steps.region[None, None], size=x.shape[-2:], mode="bilinear", align_corners=False
    )
    close(steps.lines * region[0], steps.result)
