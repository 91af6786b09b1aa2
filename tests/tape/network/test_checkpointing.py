"""Gradient checkpointing does not change results, and still works for other threads."""

import threading
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from camviz import METHODS, tape
from camviz.scores import logit
from tests.models.nets import FEW, SIDE, images, load

SCORE = logit(1)


class Net(nn.Module):
    def __init__(self, run):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.features = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(inplace=True)
            )
            self.head = nn.Linear(6, 3)
        self.run = run
        self.eval()

    def forward(self, x):
        return self.head(self.run(self.features, x).mean(dim=(2, 3)))


def plain(part, x):
    return part(x)


FORMS = {
    "reentrant": lambda part, x: checkpoint(part, x, use_reentrant=True),
    "not reentrant": lambda part, x: checkpoint(part, x, use_reentrant=False),
    "with contexts": lambda part, x: checkpoint(
        part, x, use_reentrant=False, context_fn=lambda: (nullcontext(), nullcontext())
    ),
    "by the module": lambda part, x: torch.utils.checkpoint.checkpoint(part, x, use_reentrant=True),
    "with keywords": lambda part, x: checkpoint(lambda x: part(x), x=x, use_reentrant=False),
    "sequential": lambda part, x: checkpoint_sequential(part, 2, x, use_reentrant=True),
    "sequential, not reentrant": lambda part, x: checkpoint_sequential(part, 2, x, use_reentrant=False),
    "nested": lambda part, x: checkpoint(lambda y: checkpoint(part, y, use_reentrant=True), x, use_reentrant=False),
}


def values(run):
    net = Net(run).double()
    x = torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with tape.backward_rule(lambda gradient, slope: gradient.clamp(min=0) * slope):
        guided = tape.input_gradient(net, x, SCORE)
    gradient, terms, _ = tape.bias_gradients(net, x, SCORE)
    sums = tape.gradient_sums(net, x, SCORE, [net.features[0], net.features[3]])
    lrp = METHODS["lrp"](net, x[:1].clamp(-3, 3), SCORE)
    return [lrp, guided, gradient, *terms, *sums, *tape.record(net, x, SCORE, net.features[3])]


@pytest.mark.parametrize("form", FORMS)
def test_tape_functions_equal_those_without_checkpoints(form):
    for found, expected in zip(values(FORMS[form]), values(plain), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("key", [key for key in METHODS if key != "cam"])  # it needs pooling as a module
def test_methods_equal_those_without_checkpoints(key):
    method, x = METHODS[key], torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    found = []
    for run in (plain, FORMS["reentrant"], FORMS["not reentrant"]):
        net = Net(run)
        knobs = {name: value for name, value in FEW.items() if name in method.knobs}
        found.append(method(net, x, SCORE, *([net.features[3]] if method.layer == "required" else []), **knobs))
    expected, reentrant, not_reentrant = found
    assert torch.equal(reentrant, expected) and torch.equal(not_reentrant, expected)


def test_loaded_network_has_the_same_layers_and_predictions():
    checkpointed, same = load(Net(FORMS["reentrant"])), load(Net(plain))
    assert checkpointed.layers == same.layers
    assert checkpointed.predict(images(1)[0]) == same.predict(images(1)[0])


@pytest.mark.parametrize("form", ["reentrant", "not reentrant"])
def test_checkpoints_of_another_thread_work_during_a_pass(form):
    runs = {"pass": 0, "other": 0}
    others = []

    def train():
        def part(y):
            runs["other"] += 1
            return y * y

        y = torch.ones(3, requires_grad=True)
        FORMS[form](part, y).sum().backward()
        others.append(y.grad)

    def run(part, x):
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()

        def counted(y):
            runs["pass"] += 1
            return part(y)

        return FORMS[form](counted, x)

    tape.input_gradient(Net(run), torch.rand(1, 3, 12, 12), SCORE)
    train()
    assert runs == {"pass": 1, "other": 4}  # forward and again in the backward pass, twice
    assert all(torch.equal(gradient, torch.full((3,), 2.0)) for gradient in others)
