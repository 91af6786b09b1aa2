"""Walkthroughs: the recorded steps belong to the run that makes the map, and combine to the same map."""

import threading
from inspect import signature

import pytest
import torch
from torch import nn

from camviz import METHODS, CamvizError, scores
from camviz.methods.deconvnet import deconvolved
from camviz.methods.grad_cam import grad_cam
from camviz.methods.guided_backprop import guided_backprop
from camviz.methods.integrated_gradients import integrated_gradients
from camviz.methods.score_cam import score_cam
from camviz.perturbation.masked_scores import masks_of
from camviz.runtime.steps import recording_steps
from camviz.tape import activations, backward_rule, forward, input_gradient, record
from camviz.teaching import walkthroughs
from camviz.teaching.walkthrough_records import DRAWN, THUMBNAIL
from camviz.teaching.walkthroughs import COUNTS, WALKTHROUGHS
from camviz.ui.learn.steps import DRAWINGS
from tests.methods.nets import Functional, Modules, Residual, build, close, random_images

SCORE = scores.logit(4)
LARGEST = 4 * 2**20  # bytes


@pytest.fixture
def net():
    return build(Modules)


@pytest.fixture
def x():
    return random_images(batch=1)


# ------------------------------------------------------------------------------------------------------- recording


def test_every_chapter_with_steps_has_a_walkthrough():
    assert set(WALKTHROUGHS) == set(DRAWINGS) <= set(METHODS)


def test_other_threads_are_not_recorded(net, x):
    layer = net.features[6]
    with recording_steps() as steps:
        thread = threading.Thread(target=grad_cam, args=(net, x, SCORE, layer))
        thread.start()
        thread.join()
        assert steps == []
        grad_cam(net, x, SCORE, layer)
    assert [list(step) for step in steps] == [["activation", "gradient", "weight"]]


def test_failing_walkthrough_ends_its_recording(net, x):
    with pytest.raises(CamvizError, match="class 9 does not exist"):
        walkthroughs.of_grad_cam(net, x, scores.logit(9), net.features[6])
    with recording_steps() as steps:
        pass
    grad_cam(net, x, SCORE, net.features[6])
    assert steps == []


def test_autograd_runs_in_one_thread_during_recording(net, x, monkeypatch):
    states = []
    monkeypatch.setattr(walkthroughs, "grad_cam", lambda *_: states.append(torch._C._is_multithreading_enabled()))
    before = torch._C._is_multithreading_enabled()
    with pytest.raises(StopIteration):  # the stand-in records nothing
        walkthroughs.of_grad_cam(net, x, SCORE, net.features[6])
    assert states == [False] and torch._C._is_multithreading_enabled() is before is True


def test_recording_does_not_change_the_map(net, x):
    layer = net.features[4]
    assert torch.equal(walkthroughs.of_grad_cam(net, x, SCORE, layer).result, grad_cam(net, x, SCORE, layer)[0])
    assert torch.equal(walkthroughs.of_score_cam(net, x, SCORE, layer).result, score_cam(net, x, SCORE, layer)[0])
    path = walkthroughs.of_integrated_gradients(net, x, SCORE, steps=9)
    assert torch.equal(path.result, integrated_gradients(net, x, SCORE, steps=9)[0])


# ------------------------------------------------------------------------------------------------------- the steps


def test_steepest_pixel_changes_the_score_by_its_gradient(net, x):
    steps = walkthroughs.of_vanilla_backprop(net, x, SCORE)
    assert abs(steps.result[steps.place]) == steps.result.abs().max()
    assert steps.predicted != 0
    assert steps.real == pytest.approx(steps.predicted, rel=0.05)


def test_grad_cam_steps_sum_to_the_map(net, x):
    layer = net.features[4]
    steps = walkthroughs.of_grad_cam(net, x, SCORE, layer)
    activation, gradient = (one[0] for one in record(net, x, SCORE, layer))
    close(steps.weight, gradient.mean(dim=(1, 2)))
    parts = (steps.weight * activation.sum(dim=(1, 2))).abs()
    order = parts.argsort(descending=True)
    assert list(steps.strongest) == order[:DRAWN].tolist()
    close(steps.activation, activation[order[:DRAWN]])
    close(steps.gradient, gradient[order[:DRAWN]])
    count = len(steps.weight)
    assert list(steps.sums) == [stop for stop in COUNTS if stop < count] + [count]
    for stop, total in steps.sums.items():
        close(total, (steps.weight[order[:stop], None, None] * activation[order[:stop]]).sum(dim=0))
    close(steps.sums[count].relu(), steps.result)


@pytest.mark.parametrize("kind", [Modules, Functional, Residual])
@pytest.mark.parametrize("steps_of", [walkthroughs.of_guided_backprop, walkthroughs.of_deconvnet])
def test_relus_are_recorded_in_forward_order(kind, steps_of, x):
    net = build(kind)
    relus = {Modules: 3, Functional: 3, Residual: 4}[kind]
    steps = steps_of(net, x, SCORE)
    assert [relu.number for relu in steps.relus] == list(range(len(steps.relus)))
    assert len(steps.relus) >= relus
    heights = [relu.gradient.shape[-1] for relu in steps.relus]
    assert heights == sorted(heights, reverse=True)  # the finest first
    if kind is Modules:
        first = steps.relus[0]
        activation = net.features[:2](x)[0]
        assert first.channels == len(activation)
        close(first.slope.double(), (activation[first.channel] > 0).double())


def test_deconvnet_steps_start_from_the_strongest_feature_map(net, x):
    layer = net.features[4]
    steps = walkthroughs.of_deconvnet(net, x, SCORE, layer)
    (activation,), _ = activations(net, x, layer)
    strongest = int(activation.clamp(min=0).sum(dim=(1, 2)).argmax())
    assert steps.feature_map == strongest and len(steps.relus) == 2
    start = torch.zeros_like(activation)[None]
    start[0, strongest] = activation[strongest].clamp(min=0)
    with backward_rule(deconvolved):
        close(steps.result, input_gradient(net, x, lambda values: (values * start).flatten(1).sum(dim=1), layer)[0])
    assert walkthroughs.of_deconvnet(net, x, SCORE).feature_map is None


def test_relu_steps_show_the_channel_with_the_largest_gradient(net, x):
    with recording_steps() as recorded:
        guided_backprop(net, x, SCORE)
    steps = walkthroughs.of_guided_backprop(net, x, SCORE)
    assert len(recorded) == len(steps.relus)
    for relu, step in zip(steps.relus, reversed(recorded), strict=True):
        passed = (step["gradient"] * step["slope"])[0].abs().sum(dim=(1, 2))
        assert relu.channel == int(passed.argmax())
        close(relu.gradient, step["gradient"][0, relu.channel])
        close(relu.slope, step["slope"][0, relu.channel])


def test_relu_after_a_linear_layer_has_one_cell(x):
    net = build(Modules)
    net.head.add_module("more", nn.Sequential(nn.ReLU(), nn.Linear(7, 7)).double())
    steps = walkthroughs.of_guided_backprop(net, x, SCORE)
    last = steps.relus[-1]
    assert (last.channels, last.gradient.shape, last.slope.shape) == (7, (1, 1), (1, 1))
    scores_before = net.head[:3](net.features(x))[0]
    weight = net.head.more[1].weight[4]
    passed = (weight * (scores_before > 0)).abs()
    assert last.channel == int(passed.argmax())
    close(last.gradient[0, 0], weight[last.channel].detach())


def test_relu_rules_on_known_numbers():
    gradient, slope = torch.tensor([[2.0, -1.0], [-3.0, 4.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    found = walkthroughs.apply_relu_rules(gradient, slope)
    close(found["plain gradient"], torch.tensor([[2.0, -1.0], [0.0, 0.0]]))
    close(found["deconvnet"], torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    close(found["guided backpropagation"], torch.tensor([[2.0, 0.0], [0.0, 0.0]]))


def test_score_cam_steps_equal_masked_scores_and_weights(net, x):
    layer = net.features[4]
    steps = walkthroughs.of_score_cam(net, x, SCORE, layer)
    activation = activations(net, x, layer)[0][0]
    activation = activation[activation.flatten(1).amax(dim=1) > activation.flatten(1).amin(dim=1)]
    close(steps.weight, steps.scores.softmax(dim=0))
    close(steps.total, (steps.weight[:, None, None] * activation).sum(dim=0))
    close(steps.total.relu(), steps.result)
    mask = nn.functional.interpolate(activation[:, None], size=x.shape[-2:], mode="bilinear", align_corners=False)
    low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
    masked = x * (mask - low) / (high - low)
    close(masks_of(activation, x.shape[-2:]), (mask - low) / (high - low))
    close(steps.scores, forward(net, masked)[:, 4].detach())
    assert list(steps.strongest) == steps.weight.argsort(descending=True)[:DRAWN].tolist()
    best = nn.functional.interpolate(masked[list(steps.strongest)], size=(THUMBNAIL, THUMBNAIL), mode="area")
    close(steps.images, best)


def test_score_cam_steps_of_a_constant_layer_are_empty(net, x):
    nn.init.zeros_(net.features[3].weight)
    nn.init.zeros_(net.features[3].bias)
    steps = walkthroughs.of_score_cam(net, x, SCORE, net.features[4])
    assert steps.strongest == () and steps.images.shape == (0, 3, THUMBNAIL, THUMBNAIL)
    assert not steps.total.any() and not steps.result.any()


def test_integrated_gradients_steps_sum_to_the_map(net, x):
    steps = walkthroughs.of_integrated_gradients(net, x, SCORE, steps=50)
    assert float(steps.added.sum()) == pytest.approx(float(steps.result.sum()))
    with torch.no_grad():
        rise = float(forward(net, x)[0, 4] - forward(net, torch.zeros_like(x))[0, 4])
    assert steps.rise == pytest.approx(rise)
    assert float(steps.added.sum()) == pytest.approx(rise, rel=0.05)
    close(steps.place.sort().values, steps.place)
    assert steps.shown == (0, 10, 20, 29, 39, 49)
    for point, image, gradient in zip(steps.shown, steps.images, steps.gradients, strict=True):
        here = x * steps.place[point]
        size = input_gradient(net, here, SCORE).abs().sum(dim=1, keepdim=True)
        close(image, nn.functional.interpolate(here, size=(THUMBNAIL, THUMBNAIL), mode="area")[0])
        close(gradient, nn.functional.interpolate(size, size=(THUMBNAIL, THUMBNAIL), mode="area")[0, 0])


def test_lrp_steps_sum_to_the_score_without_biases(x):
    net = build(Modules, activation=nn.ReLU)
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    layers = {name: net.get_submodule(name) for name in ("features.2", "features.4", "features.6")}
    steps = walkthroughs.of_lrp(net, x, SCORE, layers)
    assert steps.layers == tuple(layers)
    assert steps.relevance == pytest.approx([steps.score] * 3, rel=1e-3)


def test_guided_grad_cam_steps_multiply_to_the_map(net, x):
    steps = walkthroughs.of_guided_grad_cam(net, x, SCORE, net.features[6])
    region = nn.functional.interpolate(
        steps.region[None, None], size=x.shape[-2:], mode="bilinear", align_corners=False
    )
    close(steps.lines * region[0], steps.result)


# ---------------------------------------------------------------------------------------------------------- memory


def vgg():
    """A small network with VGG16's largest feature maps, 64 channels of 224 x 224 before and after a ReLU."""
    torch.manual_seed(0)
    features = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(8), nn.Conv2d(64, 64, 3), nn.ReLU()]
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()


@pytest.mark.parametrize("key", WALKTHROUGHS)
@pytest.mark.parametrize("layer", ["1", "bn2"])
def test_walkthrough_keeps_at_most_4_mb(key, layer, lite0):
    net = vgg() if layer == "1" else lite0.net
    if net is lite0.net and METHODS[key].many_passes:
        net, layer = vgg(), "4"  # what is kept depends on the image's size, not on the network's
    takes = signature(WALKTHROUGHS[key]).parameters
    module = net.get_submodule(layer)
    given = {name: value for name, value in {"layer": module, "layers": {layer: module}}.items() if name in takes}
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    walkthrough = WALKTHROUGHS[key](net, image, SCORE, **given)
    tensors = list(tensors_of(walkthrough))
    assert walkthrough.nbytes == sum(one.untyped_storage().nbytes() for one in tensors) <= LARGEST
    assert walkthrough.nbytes == sum(one.nbytes for one in tensors)  # no tensor holds a larger one's memory


def tensors_of(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from tensors_of(one)
    elif hasattr(value, "__dataclass_fields__"):
        yield from (one for name in value.__dataclass_fields__ for one in tensors_of(getattr(value, name)))
