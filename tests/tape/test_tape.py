import threading
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as torch_module

from camviz import CamvizError, scores, tape
from camviz.tape import forward_pass
from camviz.tape.hooks import _on_forward
from tests.methods.nets import CLASSES, Functional, Modules, Residual, build, by_hand, close, of_class, random_images

SCORE = scores.logit(4)


def test_one_global_hook_is_registered():
    hooks = list(torch_module._global_forward_hooks.values())
    assert hooks.count(_on_forward) == 1
    for name in ("forward_pre_hooks", "backward_hooks", "backward_pre_hooks"):
        assert not any("camviz" in hook.__module__ for hook in getattr(torch_module, f"_global_{name}").values())


@pytest.mark.parametrize("kind", [Modules, Functional, Residual])
def test_record_returns_activation_and_gradient(kind):
    net, x, hand = by_hand(kind)
    gradients, _ = hand.back(of_class(4))
    for name, step in kind.layers.items():
        activation, gradient = tape.record(net, x, SCORE, net.get_submodule(name))
        close(activation, hand.values[step])
        close(gradient, gradients[step])
        assert not activation.requires_grad and not gradient.requires_grad
        found, values = tape.activations(net, x, net.get_submodule(name))
        close(found, hand.values[step])
        close(values, hand.values[-1])


def test_input_gradient_of_the_class_and_of_a_layer():
    net, x, hand = by_hand(Residual)
    close(tape.input_gradient(net, x, SCORE), hand.back(of_class(4))[1])
    step = Residual.layers["first.bn2"]
    expected = hand.back(torch.ones_like, start=step)[1]
    total = tape.input_gradient(net, x, lambda activation: activation.sum(dim=(1, 2, 3)), net.first.bn2)
    close(total, expected)


class NotDifferentiated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        raise AssertionError("something below the layer was differentiated")


def test_layers_below_are_not_differentiated():
    net, x = build(Modules), random_images()
    forward = net.features[0].forward
    net.features[0].forward = lambda value: NotDifferentiated.apply(forward(value))
    tape.record(net, x, SCORE, net.features[2])
    with pytest.raises(AssertionError, match="below the layer"):
        tape.input_gradient(net, x, SCORE)


def test_layers_below_build_no_graph():
    graphs = []

    class Watched(nn.Module):
        def forward(self, x):
            graphs.append(x.requires_grad)
            return x

    net = nn.Sequential(nn.Conv2d(3, 4, 3), Watched(), nn.Conv2d(4, 5, 3), Watched(), nn.Flatten(), nn.LazyLinear(7))
    x = random_images(dtype=torch.float32)
    net(x)
    graphs.clear()
    tape.record(net.eval(), x, scores.logit(1), net[2])
    assert graphs == [False, True]
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("asks", [True, False])
def test_any_memory_layout_is_accepted(monkeypatch, asks):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4 * 22 * 30, 7)

        def forward(self, x):
            x = self.first(x)
            return self.last(x.view(len(x), -1) if asks else x.flatten(1))

    torch.manual_seed(0)
    net, x = Net().eval(), torch.randn(2, 3, 24, 32).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = net(x.contiguous())
        made = []
        real = forward_pass._AnyLayout.__init__
        monkeypatch.setattr(forward_pass._AnyLayout, "__init__", lambda mode, net: made.append(net) or real(mode, net))
        for _ in range(3):
            torch.testing.assert_close(tape.forward(net, x), expected)
    assert len(made) == (3 if asks else 1)


def test_score_that_does_not_depend_on_the_layer_is_refused():
    class Aside(Modules):
        def forward(self, x):
            self.features[6](torch.ones(2, 6, 5, 7, dtype=x.dtype))
            return self.head(self.features[:6](x))

    net = build(Aside)
    with pytest.raises(CamvizError, match="does not depend on this layer"):
        tape.record(net, random_images(), SCORE, net.features[6])


VALUES = torch.ones(2, 7)


@pytest.mark.parametrize(
    "output",
    [
        VALUES,
        (VALUES, None),
        [VALUES, VALUES + 1],
        {"logits": VALUES, "aux": None},
        {"aux": None, "out": VALUES},
        SimpleNamespace(logits=VALUES, aux_logits=None),
    ],
    ids=["tensor", "tuple", "list", "logits", "out", "object"],
)
def test_class_scores_are_found_in_every_container(output):
    assert tape.class_scores(output) is VALUES


@pytest.mark.parametrize(
    ("output", "came"),
    [
        (None, "NoneType"),
        ((), "tuple"),
        ({"features": VALUES}, r"features \(2, 7\)"),
        (torch.ones(2, 7, 3), r"shape \(2, 7, 3\)"),
    ],
)
def test_outputs_without_class_scores_are_refused(output, came):
    with pytest.raises(CamvizError, match=f"class scores of shape .batch, classes.; it returned {came}"):
        tape.class_scores(output)


def test_ambiguous_outputs_are_refused():
    with pytest.raises(CamvizError, match=r"several outputs .*: 0 \(7,\) and 1 \(2, 7\); choose one, .*output=0"):
        tape.class_scores((torch.ones(7), VALUES))
    assert tape.choose_output((torch.ones(7), VALUES), batch=2) == (1,)


def test_observe_calls_back_for_every_module_without_gradients():
    net, seen = build(Residual), []
    names = {module: name for name, module in net.named_modules()}
    x = random_images(1)
    result = tape.observe(net, x, lambda module, output: seen.append((names[module], output.requires_grad)))
    assert result.shape == (1, CLASSES) and not any(requires for _, requires in seen)
    order = [name for name, _ in seen]
    assert order[:3] == ["stem", "relu", "first.conv1"] and order[-1] == ""
    assert order.count("relu") == 5 and order.index("first.down") < order.index("first")


# --------------------------------------------------------------------------------------------------- backward rules


def ten_times(gradient, slope):
    return 10 * gradient * slope


def gradient_under_rule(function, x):
    """Return the gradient of sum(function(x)) under a rule that multiplies by ten."""

    class Net(nn.Module):
        def forward(self, x):
            return function(x).flatten(2).sum(dim=2)

    with tape.backward_rule(ten_times):
        return tape.input_gradient(Net(), x, lambda values: values.sum(dim=1))


def test_rule_replaces_the_derivative():
    x = torch.tensor([-1.0, 0.0, 0.5, 6.0, 7.0]).reshape(1, 1, 1, 5)
    assert gradient_under_rule(F.relu, x).flatten().tolist() == [0, 0, 10, 10, 10]
    assert gradient_under_rule(F.relu6, x).flatten().tolist() == [0, 0, 10, 0, 0]
    assert gradient_under_rule(lambda value: value.clamp(0, 1) * 2, x).flatten().tolist() == [0, 0, 20, 0, 0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clamp(min=-1),
        lambda x: x.clamp(max=0),
        lambda x: x.clamp(-1, 1),
        lambda x: x.clamp(min=1e-6),
        lambda x: x.clamp(min=-torch.ones(1)),
        F.hardtanh,
        torch.tanh,
        F.silu,
        F.leaky_relu,
    ],
)
def test_functions_that_are_no_relu_are_refused(function):
    with pytest.raises(CamvizError, match="defined by what it does at a ReLU, and this network has none"):
        gradient_under_rule(function, random_images(1))


def test_rule_is_limited_to_its_block_and_thread():
    net, x, hand = by_hand(Residual)
    plain, ten_fold = hand.back(of_class(4))[1], []
    with tape.backward_rule(ten_times):
        thread = threading.Thread(target=lambda: ten_fold.append(tape.input_gradient(net, x, SCORE)))
        thread.start()
        thread.join()
        ten_fold.append(tape.input_gradient(net, x, SCORE))
    close(ten_fold[0], plain)
    assert ten_fold[1].norm() > 100 * plain.norm()
    close(tape.input_gradient(net, x, SCORE), plain)
    with pytest.raises(ZeroDivisionError):
        with tape.backward_rule(ten_times):
            tape.input_gradient(net, x, lambda values: 1 / 0)
    close(tape.input_gradient(net, x, SCORE), plain)


def test_rule_does_not_affect_the_caller_s_code():
    """The rule applies to the network only, not to other computations of the caller."""
    net, x, _ = by_hand(Residual)
    value = torch.ones(3, requires_grad=True)
    with tape.backward_rule(ten_times):
        (gradient,) = torch.autograd.grad(F.relu(value).sum(), value)
        tape.input_gradient(net, x, SCORE)
    assert gradient.tolist() == [1, 1, 1]


# ---------------------------------------------------------------------------------------------------------- counts


def test_passes_are_counted_in_samples():
    net, x, _ = by_hand(Modules)
    with tape.counting_passes() as counts:
        tape.forward(net, x)
        tape.record(net, x[:1], SCORE, net.features[4])
        tape.input_gradient(net, x, SCORE)
    tape.forward(net, x)
    assert (counts.forward_passes, counts.backward_passes) == (5, 3)


def test_counts_are_nested_and_per_thread():
    net, x, _ = by_hand(Modules)
    with tape.counting_passes() as outer:
        with tape.counting_passes() as inner:
            tape.forward(net, x)
        thread = threading.Thread(target=lambda: tape.forward(net, x))
        thread.start()
        thread.join()
        tape.forward(net, x[:1])
    assert (inner.forward_passes, outer.forward_passes) == (2, 1)


def test_notes_are_kept_once():
    tape.add_note("not counted")
    with tape.counting_passes() as counts:
        for sentence in ("one", "two", "one"):
            tape.add_note(sentence)
    assert counts.notes == ["one", "two"]
