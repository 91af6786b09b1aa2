"""Partial forward passes from a layer on, and Ablation-CAM, which uses them."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from pytorch_grad_cam import AblationCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from camviz import CamvizError, scores
from camviz.acceleration import partial_forward as partial_forward_module
from camviz.acceleration.partial_forward import partial_forward
from camviz.methods.ablation_cam import ablation_cam
from camviz.methods.grad_cam import grad_cam
from camviz.tape import class_scores, counting_passes
from tests.methods.nets import NETS, Modules, Residual, build, by_hand, close, random_images

LAYERS = [(kind, name) for kind in NETS.values() for name in kind.layers]
EVERY_LAYER = pytest.mark.parametrize(("kind", "name"), LAYERS, ids=[f"{k.__name__} {name}" for k, name in LAYERS])


def scores_with_activations(net, x, layer, activations):
    """Return the class scores if the layer returned `activations`, by replacing its module in the whole network."""

    class Instead(nn.Module):
        def forward(self, *inputs):
            return activations.clone()

    name = next(name for name, module in net.named_modules() if module is layer)
    parent, _, last = name.rpartition(".")
    parent = net.get_submodule(parent)
    try:
        setattr(parent, last, Instead())
        with torch.no_grad():
            return class_scores(net(x.expand(len(activations), -1, -1, -1).clone()))
    finally:
        setattr(parent, last, layer)


def changed_activations(activation):
    """Return activations that differ from the layer's own in several ways."""
    result = activation.repeat(3, 1, 1, 1)
    result[0, : result.shape[1] // 2] = 0
    result[1] *= 1.5
    result[2, :, ::2] = -result[2, :, ::2]
    return result


def check_partial_forward(net, x, layer, tolerance):
    before = x.clone()
    with torch.no_grad():
        expected = class_scores(net(x.clone()))
    rest = partial_forward(net, x, layer)
    assert torch.equal(x, before)
    scale = float(expected.abs().max())
    assert (rest.scores - expected).abs().max() <= tolerance * scale
    own, changed = rest.activation, changed_activations(rest.activation)
    for _ in range(2):  # in-place operations must change neither the argument nor the stored values
        assert (rest(own) - expected).abs().max() <= tolerance * scale
        given = changed.clone()
        result = rest(given)
        assert torch.equal(given, changed)
        other = scores_with_activations(net, x, layer, changed)
        assert (result - other).abs().max() <= tolerance * float(other.abs().max())
        assert (result - expected).abs().max() > 100 * tolerance * scale
        for one, row in zip(changed.split(1), result, strict=True):
            assert (rest(one)[0] - row).abs().max() <= tolerance * float(other.abs().max())
    return rest


# -------------------------------------------------------------------------------------------------- above a layer


@EVERY_LAYER
def test_partial_forward_equals_the_whole_network(kind, name):
    net, x, _ = by_hand(kind)
    check_partial_forward(net, x[:1], net.get_submodule(name), 1e-10)


FAMILIES = [
    ("resnet18", "layer2.0.conv1"),
    ("alexnet", "features.5"),
    ("squeezenet1_1", "features.9.expand1x1"),
    ("densenet121", "features.denseblock3.denselayer20.conv1"),
    ("googlenet", "inception4b.branch2"),
    ("inception_v3", "Mixed_7a"),
    ("mobilenet_v2", "features.13"),
    ("mobilenet_v3_small", "features.5.block.1"),
    ("efficientnet_b0", "features.6.0.block.1"),
    ("shufflenet_v2_x0_5", "stage4.1.branch2"),
    ("regnet_y_400mf", "trunk_output.block3.block3-2"),
    ("convnext_tiny", "features.5.7.block.0"),
    ("efficientnet_lite0", "blocks.5.1.conv_pw"),
]


@pytest.mark.parametrize(("name", "layer"), FAMILIES)
def test_partial_forward_on_families(name, layer, lite0):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extra = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
        net = lite0.net if name == "efficientnet_lite0" else models.get_model(name, **extra).eval()
    x = random_images(1, torch.float32, (96, 128) if name in ("alexnet", "inception_v3") else (64, 96))
    if name != "efficientnet_lite0":
        make_sensitive(net, x)
    check_partial_forward(net, x, net.get_submodule(layer), 1e-5)


def make_sensitive(net, x):
    """Draw random weights with which every change of an activation changes the class scores."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1  # so that one pass sets its statistics
        if hasattr(module, "layer_scale"):
            nn.init.ones_(module.layer_scale)
    with torch.no_grad():
        net.train()(torch.cat([x, -x]))
    net.eval()


class Above(nn.Module):
    """A layer, followed by `rest(net, before, after)`."""

    def __init__(self, rest):
        super().__init__()
        self.before, self.layer = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3, padding=1)
        self.head, self.rest = nn.Linear(6, 7), rest

    def forward(self, x):
        before = self.before(x)
        return self.rest(self, before, self.layer(before))


def sizes(net, before, after):
    batch, channels, height, width = after.shape
    after = after.view(batch * 2, channels // 2, height, width).relu_()
    return net.head(after.reshape(batch, channels, -1).mean(dim=2))


def into_what_lies_below(net, before, after):
    kept = before.clone()
    before += after[:, :4]
    kept[:, :2] = after[:, 4:]
    return net.head(torch.cat([before.mul_(2).mean(dim=(2, 3)), kept.mean(dim=(2, 3))[:, :2]], dim=1))


def in_place_everywhere(net, before, after):
    after.mul_(2).add_(before.mean())
    view = after[:, :3]
    view.relu_()
    torch.add(after, 1, out=after)
    return net.head(F.relu(after, inplace=True).mean(dim=(2, 3)))


def into_a_new_tensor(net, before, after):
    result = after.new_zeros(len(after), 6)
    result[:, :3] = after.mean(dim=(2, 3))[:, 3:]
    result[:, 3:] = torch.zeros(len(after), 3, dtype=after.dtype) + before.mean(dim=(2, 3))[:, :3]
    return {"logits": net.head(result)}


def parts(net, before, after):
    one, other = after.chunk(2, dim=1)
    values, places = torch.max(other.flatten(2), dim=2)
    assert places.shape == values.shape
    return [net.head(torch.cat([one.amax(dim=(2, 3)), values], dim=1)), None]


def overwritten_below(net, before, after):
    result = net.head(torch.cat([after[:, 2:].mean(dim=(2, 3)), before.mean(dim=(2, 3))[:, :2]], dim=1))
    result = result + before.sum(dim=(1, 2, 3))[:, None] * after.mean(dim=(2, 3))[:, :1]
    before.zero_()
    return result


def by_a_function(net, before, after):
    return net.head(Halved.apply(after).mean(dim=(2, 3)))


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.relu() / 2


WAYS = [sizes, into_what_lies_below, in_place_everywhere, into_a_new_tensor, parts, overwritten_below, by_a_function]


@pytest.mark.parametrize("rest", WAYS)
def test_partial_forward_with_unusual_operations(rest):
    net = build(Above, rest=rest)
    check_partial_forward(net, random_images(1), net.layer, 1e-10)


def test_partial_forward_starts_at_the_last_run_of_a_layer():
    net, x, _ = by_hand(Residual)
    rest, other = partial_forward(net, x[:1], net.relu), partial_forward(net, x[:1], net.second)
    changed = changed_activations(rest.activation)
    close(rest(changed), other(changed))
    assert len(rest._calls) == len(other._calls)


def relu(x: torch.Tensor) -> torch.Tensor:
    return x.relu()


def by_an_unseen_way(net, before, after):
    """A scripted function is not visible as a torch call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(relu)
    return net.head(scripted(after).mean(dim=(2, 3)))


def by_values(net, before, after):
    return net.head(after.mean(dim=(2, 3)) * (2 if after.mean() > 0 else 1))


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        (by_an_unseen_way, "does not depend on this layer"),
        (lambda *args: by_an_unseen_way(*args) + args[2].mean(dim=(1, 2, 3))[:, None], "without the layers before it"),
        (by_values, "decides by the values"),
        (
            lambda net, before, after: net.head(before.mean(dim=(2, 3)).repeat(1, 2)[:, :6]),
            "does not depend on this layer",
        ),
    ],
    ids=["unseen", "unseen in part", "values", "not at all"],
)
def test_partial_forward_refuses_hidden_or_value_dependent_operations(rest, sentence):
    net = build(Above, rest=rest)
    with pytest.raises(CamvizError, match=sentence):
        partial_forward(net, random_images(1), net.layer)


# Of the three convolutions of Modules, output cells * channels * kernel; and of its linear layer.
WORK = (20 * 28 * 4 * 27, 5 * 7 * 5 * 36, 5 * 7 * 6 * 45, 6 * 7)


def test_work_counts_the_convolutions_and_linear_layers_above():
    net, x, _ = by_hand(Modules)
    *_, third, linear = WORK
    assert partial_forward(net, x[:1], net.features[4]).work == third + linear
    assert partial_forward(net, x[:1], net.features[6]).work == linear


def test_recording_runs_the_layers_below_once():
    net, x, _ = by_hand(Modules)
    with FlopCounterMode(display=False) as counter:
        rest = partial_forward(net, x[:1], net.features[4])
    assert counter.get_total_flops() == 2 * (sum(WORK) + 2 * rest.work + 2 * rest.work)


def test_stored_values_are_freed_after_their_last_use():
    net, x, _ = by_hand(Residual)
    rest = partial_forward(net, x[:1], net.first)
    made = [number for call in rest._calls for number in call.results]
    gone = [number for call in rest._calls for number in call.last]
    assert len(gone) == len(set(gone)) and {0, *made} - set(gone) == {rest._output}


# --------------------------------------------------------------------------------------------------- Ablation-CAM


def ablation_cam_by_loop(net, x, score, layer, activation):
    maps = []
    for one, channels in zip(x.split(1), activation, strict=True):
        whole = float(score(net(one.clone()))[0].detach())
        total = torch.zeros_like(channels[0])
        for c in range(len(channels)):
            without = channels.clone()
            without[c] = 0
            weight = (whole - float(score(scores_with_activations(net, one, layer, without[None]))[0])) / abs(whole)
            total += weight * channels[c]
        maps.append(total.clamp(min=0))
    return torch.stack(maps)


@EVERY_LAYER
def test_ablation_cam_equals_the_loop(kind, name):
    net, x, hand = by_hand(kind)
    layer, activation = net.get_submodule(name), hand.values[kind.layers[name]]
    for score in (scores.logit(1), scores.contrast(2, 5), scores.probability(4)):
        expected = ablation_cam_by_loop(net, x, score, layer, activation)
        torch.testing.assert_close(ablation_cam(net, x, score, layer), expected, rtol=1e-8, atol=1e-12)


def test_negative_score_does_not_invert_the_map():
    net, x, _ = by_hand(Modules)
    layer, bias = net.features[6], float(net(x)[:, 4].detach().abs().max()) + 1
    up, down = (ablation_cam(net, x, lambda z, s=sign: z[:, 4] + s * bias, layer) for sign in (1, -1))
    assert up.max() > 0
    for one, other in zip(up, down, strict=True):  # the two differ in what they are divided by
        close(one / one.max(), other / other.max())


def test_zero_score_is_not_divided_by():
    net, x, _ = by_hand(Modules)
    x = x[:1]
    whole = net(x)[0, 4].detach()
    close(
        ablation_cam(net, x, lambda z: z[:, 4] - whole, net.features[6]),
        ablation_cam(net, x, lambda z: z[:, 4] - whole + 1, net.features[6]),
    )


def test_ablation_cam_before_pooling_and_linear_equals_the_formula():
    """The score loses w[c] * mean(A[c]), so the weights are Grad-CAM's times sum_hw A[c] / |S|."""
    net, x, hand = by_hand(Modules)
    activation, whole = hand.values[6], net(x)[:, 2].detach().abs()
    weight = net.head[2].weight[2].detach() * activation.mean(dim=(2, 3)) / whole[:, None]
    expected = (weight[:, :, None, None] * activation).sum(dim=1).clamp(min=0)
    close(ablation_cam(net, x, scores.logit(2), net.features[6]), expected)
    assert (grad_cam(net, x, scores.logit(2), net.features[6]) > 0).eq(expected > 0).float().mean() > 0.5


def test_only_active_channels_are_run(monkeypatch):
    net, x = build(Modules), random_images()
    with torch.no_grad():
        net.features[3].bias[[1, 3]] = -1e3
    assert (net.features[:5](x)[:, [1, 3]] == 0).all()
    rows = []
    call = partial_forward_module.PartialForward.__call__
    monkeypatch.setattr(
        partial_forward_module.PartialForward, "__call__", lambda self, a: rows.append(len(a)) or call(self, a)
    )
    done = []
    with counting_passes() as counts:
        result = ablation_cam(net, x, scores.logit(4), net.features[4], progress=lambda *numbers: done.append(numbers))
    assert (counts.forward_passes, counts.backward_passes) == (2 * 3, 0)
    assert rows == [2, 3, 2, 3]  # for each image the check of the recording, and the living channels
    assert done == [(2, 10), (5, 10), (7, 10), (10, 10)]
    assert "once for each feature map" in counts.notes[0]
    torch.testing.assert_close(
        result, ablation_cam_by_loop(net, x, scores.logit(4), net.features[4], net.features[:5](x).detach())
    )


@pytest.mark.parametrize(("name", "layer"), [("resnet18", "layer3"), ("squeezenet1_1", "features.9")])
def test_ablation_cam_equals_grad_cam_package(name, layer):
    torch.manual_seed(0)
    net, x = models.get_model(name).eval(), random_images(1, torch.float32, (64, 96))
    net.requires_grad_(False)
    layer = net.get_submodule(layer)
    whole = float(net(x).max())
    c = int(net(x).argmax())
    assert whole > 0
    with AblationCAM(net, [layer], batch_size=64) as theirs:
        expected = torch.from_numpy(theirs(x, [ClassifierOutputTarget(c)]))
    ours = ablation_cam(net, x, scores.logit(c), layer)
    ours = (ours - ours.min()) / (ours.max() - ours.min())
    ours = F.interpolate(ours[None], x.shape[2:], mode="bilinear")[0]
    ours = (ours - ours.min()) / (ours.max() - ours.min())
    assert (ours - expected).norm() < 1e-2 * expected.norm()
