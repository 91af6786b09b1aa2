"""Cheaper repeated passes: conv-BN fusion and Winograd convolutions give the network's own numbers."""

import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from camviz import scores
from camviz.acceleration import conv_bn_fusion, winograd
from camviz.acceleration.conv_bn_fusion import channels_last
from camviz.acceleration.many_passes import many_passes, partial_progress
from camviz.acceleration.winograd import MIN_CHANNELS, Kernel
from camviz.tape import activations, forward, input_gradient
from tests.methods.nets import NETS, Modules, Residual, build, close, content, random_images

SCORE = scores.logit(2)


@pytest.fixture(autouse=True)
def _winograd_on_small_inputs(monkeypatch):
    monkeypatch.setattr(winograd, "MIN_CELLS", 1)  # the tests' images are small
    monkeypatch.setattr(winograd, "MIN_CHANNELS_TOGETHER", 0)  # as without AVX-512


def random_tensor(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class CallCounter:
    """Count the calls of torch's batch norm and of the Winograd convolution."""

    def __init__(self, monkeypatch):
        self.calls = dict.fromkeys(("batch_norm", "_convolved"), 0)
        self.watch(monkeypatch, torch, "batch_norm")
        self.watch(monkeypatch, "camviz.acceleration.winograd", "_convolved")

    def watch(self, monkeypatch, owner, name):
        target = owner if not isinstance(owner, str) else __import__(owner, fromlist=["x"])
        original = getattr(target, name)

        def counted(*args, **kwargs):
            self.calls[name] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(target, name, counted)


# -------------------------------------------------------------------------------------------------------- Winograd


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(4, 4), (8, 12), (1, 1), (7, 5), (14, 9), (3, 30)])
def test_winograd_equals_direct_convolution(size, layout):
    x = random_tensor(3, 5, *size, seed=1).contiguous(memory_format=layout).requires_grad_()
    weight, gradient = random_tensor(7, 5, 3, 3, seed=2), random_tensor(3, 7, *size, seed=3)
    bias = random_tensor(7, seed=4)
    expected = F.conv2d(x, weight, bias, padding=1)
    found = Kernel(weight, bias)(x).mul_(1)  # networks go on in place
    close(found.detach(), expected.detach(), 1e-12)
    assert found.is_contiguous(memory_format=torch.channels_last)
    (back,) = torch.autograd.grad(expected, x, gradient)
    close(torch.autograd.grad(found, x, gradient)[0], back, 1e-12)


@pytest.mark.parametrize("budget", [1.0, 3e4, 1e5, 1e9])
def test_winograd_result_is_independent_of_tile_size(monkeypatch, budget):
    monkeypatch.setattr("camviz.acceleration.winograd._MAX_TILE_BYTES", budget)
    x, weight = random_tensor(5, 6, 21, 18), random_tensor(4, 6, 3, 3, seed=2)
    close(Kernel(weight)(x), F.conv2d(x, weight, padding=1), 1e-12)


def test_winograd_error_in_float32_is_below_5e_6():
    x, weight = (
        random_tensor(2, 256, 28, 28, dtype=torch.float32),
        random_tensor(256, 256, 3, 3, seed=2, dtype=torch.float32),
    )
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    error = (Kernel(weight)(x).double() - expected).norm() / expected.norm()
    assert error < 5e-6


# ------------------------------------------------------------------------------------------------------ the passes


@pytest.mark.parametrize("kind", NETS.values(), ids=NETS)
def test_fused_passes_equal_the_network(kind):
    net, x = build(kind), random_images(5)
    with torch.no_grad():
        expected = net(x.clone())
    gradient = input_gradient(net, x, SCORE)
    before = {name: content(tensor) for name, tensor in net.state_dict().items()}
    with many_passes(net, x[:2]), torch.no_grad():
        close(forward(net, channels_last(x)), expected)
        close(input_gradient(net, channels_last(x), SCORE), gradient)
    assert {name: content(tensor) for name, tensor in net.state_dict().items()} == before


def test_batch_norms_are_fused_into_convolutions(monkeypatch):
    net, x = build(Residual), random_images()
    count = CallCounter(monkeypatch)
    with torch.no_grad():
        net(x)
    assert count.calls["batch_norm"] == 4
    with many_passes(net, x), torch.no_grad():
        count.calls["batch_norm"] = 0
        forward(net, x)
        assert count.calls["batch_norm"] == 0
    with many_passes(net, x, fusion="nothing"), torch.no_grad():
        count.calls["batch_norm"] = 0
        forward(net, x)
        assert count.calls["batch_norm"] == 4


def test_without_fusion_every_layer_keeps_its_output():
    net, x = build(Residual), random_images()
    for name in ("first.conv1", "first.bn1", "second.conv2", "second"):
        layer = net.get_submodule(name)
        expected, _ = activations(net, x, layer)
        with many_passes(net, x, fusion="nothing"):
            close(activations(net, x, layer)[0], expected)


class Normed(nn.Module):
    """A batch norm after each convolution: strided, grouped, wide enough for Winograd's algorithm; and ReLU6."""

    def __init__(self, activation):
        super().__init__()
        convolutions = (
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.Conv2d(8, 8, 5, padding=4, dilation=2, groups=4),
            nn.Conv2d(8, MIN_CHANNELS, 1),
            nn.Conv2d(MIN_CHANNELS, MIN_CHANNELS, 3, padding=1),
        )
        self.features = nn.Sequential()
        for one in convolutions:
            norm = nn.BatchNorm2d(one.out_channels)
            nn.init.uniform_(norm.running_var, 0.1, 0.3)
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.uniform_(norm.weight, -2, 2)
            self.features.extend([one, norm, activation()])
        self.head = nn.Linear(MIN_CHANNELS, 7)

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3)))


ACTIVATIONS = {
    "relu6": nn.ReLU6,
    "relu6 in place": lambda: nn.ReLU6(inplace=True),
    "hard tanh in place": lambda: nn.Hardtanh(-0.5, 2, inplace=True),
    "relu in place": lambda: nn.ReLU(inplace=True),
    "silu": nn.SiLU,
}


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_backward_pass_of_fused_batch_norms_equals_autograd(monkeypatch, activation):
    net, x = build(Normed, activation=activation), random_images(size=(24, 32))
    expected, before = input_gradient(net, x, SCORE), content(net.features[1].weight)
    with many_passes(net, x, fusion="gradient"):
        count = CallCounter(monkeypatch)
        found = input_gradient(net, channels_last(x), SCORE)
        assert count.calls == {"batch_norm": 0, "_convolved": 2}  # the last convolution, there and back
    close(found, expected)
    assert expected.abs().max() > 0 and content(net.features[1].weight) == before


def test_scores_are_bit_identical_when_only_the_backward_pass_is_fused():
    net, x = build(Normed, activation=nn.ReLU6).float(), channels_last(random_images(size=(24, 32)).float())
    with many_passes(net, x, fusion="nothing"):
        with torch.enable_grad():
            plain = forward(net, x.clone().requires_grad_())
    with many_passes(net, x, fusion="gradient"):
        with torch.enable_grad():
            found = forward(net, x.clone().requires_grad_())
    assert torch.equal(found, plain)


class UnusualFusion(nn.Module):
    """A network in which a batch norm cannot simply be fused; `way` says why."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.other, self.head = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.Linear(4, 7)
        for norm in (self.norm, self.other):
            nn.init.uniform_(norm.running_var, 0.1, 0.3)
            nn.init.normal_(norm.running_mean)

    def forward(self, x):
        x = self.one(x)
        if self.way == "read twice":
            x = self.norm(x) + x.relu()
        elif self.way == "read by a list":
            x = self.norm(x) + torch.cat([x[:, :1], x[:, 1:]], dim=1)
        elif self.way == "convolution twice":
            x = self.norm(self.two(self.other(self.two(x))))
        elif self.way == "norm twice":
            x = self.norm(self.two(self.norm(x)))
        elif self.way == "changed in place":
            x = self.norm(x.mul_(2))
        elif self.way == "in a bias":
            x = self.norm(F.conv2d(x, self.two.weight, padding=1))
        return self.head(x.mean(dim=(2, 3)))


WAYS = ("read twice", "read by a list", "convolution twice", "norm twice", "changed in place", "in a bias")


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_networks_that_cannot_be_fused_keep_their_results(monkeypatch, way, wide):
    monkeypatch.setattr(winograd, "MIN_CHANNELS", 3 if wide else 1000)
    net, x = build(UnusualFusion, way=way), random_images()
    with torch.no_grad():
        expected = net(x)
    gradient = input_gradient(net, x, SCORE)
    with many_passes(net, x):
        close(forward(net, channels_last(x)).detach(), expected)
        close(input_gradient(net, channels_last(x), SCORE), gradient)


def test_only_wide_3x3_convolutions_use_winograd(monkeypatch):
    monkeypatch.setattr(winograd, "MIN_CHANNELS", 16)

    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.wide = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
            self.strided, self.grouped = nn.Conv2d(16, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, padding=1, groups=16)
            self.dilated, self.small = nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.Conv2d(16, 16, 1)
            self.unpadded, self.head = nn.Conv2d(16, 16, 3), nn.Linear(16, 7)

        def forward(self, x):
            for layer in (self.first, self.wide, self.strided, self.grouped, self.dilated, self.small, self.unpadded):
                x = layer(x).relu_()
            return self.head(x.mean(dim=(2, 3)))

    net, x = build(Many), random_images(1)
    gradient = input_gradient(net, x, SCORE)
    count = CallCounter(monkeypatch)
    with many_passes(net, x):
        count.calls["_convolved"] = 0
        close(input_gradient(net, channels_last(x), SCORE), gradient)
    assert count.calls["_convolved"] == 2  # up and down


@pytest.mark.parametrize(("channels", "size", "expected"), [(128, 28, 1), (127, 28, 0), (128, 27, 0), (512, 14, 0)])
def test_winograd_needs_many_channels_and_a_large_map(monkeypatch, channels, size, expected):
    monkeypatch.undo()
    monkeypatch.setattr(winograd, "MIN_CHANNELS_TOGETHER", 256)
    weight, result = torch.empty(channels, 128, 3, 3), torch.empty(1, channels, size, size)
    assert winograd.suits_winograd(weight, result, 1, 1, 1, 1) == expected
    assert not winograd.suits_winograd(weight, result, 2, 1, 1, 1)
    monkeypatch.setattr(winograd, "MIN_CHANNELS_TOGETHER", 384)
    assert not winograd.suits_winograd(weight, result, 1, 1, 1, 1)


@pytest.mark.parametrize(("error", "fits"), [(0.9e-5, True), (1.1e-5, False)])
def test_plan_is_used_only_if_scores_agree_to_1e_5(monkeypatch, error, fits):
    net, x = build(Residual), random_images()
    with torch.no_grad():
        expected = net(x)
    original = conv_bn_fusion.FusedCalls.__call__

    def inexact(self, func, args, kwargs):
        result = original(self, func, args, kwargs)
        return result + error * expected.abs().max() if func is F.linear else result

    monkeypatch.setattr(conv_bn_fusion.FusedCalls, "__call__", inexact)
    difference = (scores_of(net, x) - expected).abs().max() / expected.abs().max()
    assert abs(difference - (error if fits else 0)) < 1e-10


def test_inexact_plan_is_discarded(monkeypatch):
    monkeypatch.setattr(Kernel, "__call__", lambda self, x: F.conv2d(x, self.weight, self.bias, padding=1) * 1.01)
    monkeypatch.setattr(winograd, "MIN_CHANNELS", 3)
    net, x = build(Residual), random_images()
    with torch.no_grad():
        expected = net(x)
    with many_passes(net, x), torch.no_grad():
        close(forward(net, x), expected, 1e-12)


def scores_of(net, x):
    with many_passes(net, x), torch.no_grad():
        return forward(net, channels_last(x))


def test_network_is_profiled_once(monkeypatch):
    net, x = build(Residual), random_images()
    runs = []
    original = Residual.forward
    monkeypatch.setattr(Residual, "forward", lambda self, x: runs.append(len(x)) or original(self, x))
    first = scores_of(net, x)
    assert runs == [2, 2, 2]  # the profile, its check, and the pass itself
    assert torch.equal(scores_of(net, x), first) and len(runs) == 4
    for changes in ({"fusion": "gradient"}, {"fusion": "nothing"}, {"dtype": torch.bfloat16}):
        for again in (2, 0):
            before = len(runs)
            with many_passes(net, x, **changes):
                assert len(runs) == before + again
    scores_of(net, x[..., :16, :])  # another size
    assert len(runs) == 4 + 6 + 3


def replace_convolution(net):
    net.first.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False, dtype=torch.float64)


def add_hook(net):
    net.first.conv1.register_forward_hook(lambda module, inputs, output: output * 2)


def replace_forward(net):
    net.first.conv1.forward = lambda x, run=net.first.conv1.forward: run(x) - 1


CHANGES = {
    "written to": lambda net: net.first.conv1.weight.data.mul_(1.5),
    "written to in place": lambda net: nn.init.uniform_(net.first.bn1.running_var, 1, 2),
    "a new batch norm": lambda net: setattr(net.first, "bn1", nn.BatchNorm2d(4, dtype=torch.float64).eval()),
    "no batch norm": lambda net: setattr(net.first, "bn1", nn.Identity()),
    "a new convolution": replace_convolution,
    "a new tensor": lambda net: setattr(net.stem, "bias", nn.Parameter(torch.ones(4, dtype=torch.float64))),
    "a setting": lambda net: setattr(net.stem, "padding", (3, 3)),
    "a number": lambda net: setattr(net.first.bn2, "eps", 0.5),
    "a hook": add_hook,
    "a method": replace_forward,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_network_is_profiled_again(change):
    net, x = build(Residual), random_images()
    before = scores_of(net, x)
    change(net)
    with torch.no_grad():
        expected = net(x)
    assert (expected - before).abs().max() > 1e-3 * before.abs().max()
    close(scores_of(net, x), expected)


class InputDependent(nn.Module):
    """The input decides which convolution the batch norm follows."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.norm = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        nn.init.normal_(self.norm.running_mean)
        self.head = nn.Linear(4, 7)

    def forward(self, x):
        x = self.norm(self.one(x)) if x.mean() > 0 else self.norm(self.two(x) + self.one(x))
        return self.head(x.mean(dim=(2, 3)))


def test_plan_of_an_input_dependent_network_is_not_reused():
    net, x = build(InputDependent), random_images().abs()
    for seen in (x, -x, x):
        with torch.no_grad():
            expected = net(seen)
        close(scores_of(net, seen), expected)


def test_profile_does_not_keep_a_network_alive():
    net, x = build(Residual), random_images()
    scores_of(net, x)
    kept = weakref.ref(net)
    del net
    gc.collect()
    assert kept() is None


def test_batch_size_follows_the_work_per_sample(monkeypatch):
    net, x = build(Modules), random_images(3)
    # By hand: output cells * channels * kernel, of the three convolutions and the linear layer.
    work = 20 * 28 * 4 * 27 + 5 * 7 * 5 * 36 + 5 * 7 * 6 * 45 + 6 * 7
    for budget, size, with_gradient in ((1e9, 8, 8), (4.5, 4, 2), (0.5, 1, 1)):
        monkeypatch.setattr("camviz.runtime.batching.MAX_BATCH_WORK", budget * work)
        with many_passes(net, x) as known:
            assert (known.size, known.size_with_gradient) == (size, with_gradient)


@pytest.mark.parametrize("way", WAYS)
def test_fused_weights_are_converted_for_autocast(way):
    net, x = build(UnusualFusion, way=way, dtype=torch.float32), random_images(dtype=torch.float32)
    with torch.no_grad():
        expected = net(x)
    with many_passes(net, x, dtype=torch.bfloat16), torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = forward(net, channels_last(x)).float()
    assert 0 < (found - expected).norm() < 0.05 * expected.norm()


def test_partial_progress_counts_over_all_parts():
    done = []
    for number in range(3):
        report = partial_progress(lambda *now: done.append(now), number, 3)
        report(1, 2)
        report(2, 2)
    assert done == [(count, 6) for count in range(1, 7)]
    assert partial_progress(None, 0, 3) is None
