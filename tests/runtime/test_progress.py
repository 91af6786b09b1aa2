"""A computation is heard from at least every 300 ms, however long one pass of the network takes."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from camviz import METHODS, scores
from camviz.evaluation.registry import METRICS, Subject
from tests.methods.nets import Interrupt, quick

MANY_PASSES = [method for method in METHODS.values() if method.many_passes]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(nn.Module):
    """Takes its time on the way there and on the way back, by a clock of its own."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def forward(self, x):
        class Step(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                self.clock.now += 0.045
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                self.clock.now += 0.045
                return gradient

        return Step.apply(x)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("camviz.runtime.progress.perf_counter", clock)
    return clock


@pytest.fixture
def slow(clock):
    """A network whose pass takes 0.9 s, and one of its layers."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *(Slow(clock) for _ in range(10))),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), *(Slow(clock) for _ in range(10))),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    return net.eval(), net[12]


@pytest.mark.parametrize("method", MANY_PASSES, ids=lambda method: method.key)
def test_every_method_is_heard_from(method, slow, clock):
    net, layer = slow
    x, times = torch.rand(1, 3, 16, 16), [0.0]
    chosen = None if method.layer == "none" else layer
    quick(method, net, x, scores.logit(1), chosen, progress=lambda *_: times.append(clock.now))
    times.append(clock.now)
    silences = [later - earlier for earlier, later in pairwise(times)]
    assert times[-1] > 1.5 and max(silences) <= 0.3


def test_a_metric_is_heard_from_too(slow, clock):
    net, _ = slow
    x, times = torch.rand(1, 3, 16, 16), [0.0]
    subject = Subject(net, x, scores.probability(1), torch.rand(16, 16))
    METRICS["deletion"].measure(subject, steps=4, progress=lambda *_: times.append(clock.now))
    assert max(later - earlier for earlier, later in pairwise(times)) <= 0.3


def test_the_word_is_the_last_one_again_and_can_stop_a_gradient(slow, clock):
    net, _ = slow
    x, told = torch.rand(1, 3, 16, 16), []
    quick(METHODS["smooth_grad"], net, x, scores.logit(1), None)  # learns the network, once
    quick(METHODS["smooth_grad"], net, x, scores.logit(1), None, progress=lambda *what: told.append(what))
    total = told[-1][1]
    first = told.index((total, total)) if told.count((total, total)) else 0
    assert set(told[:1]) <= {(0, 1), (0, total)} and told[first:] == [(total, total)]
    for stop in range(len(told)):
        heard = []

        def cancel(*what, heard=heard, stop=stop):
            heard.append(what)
            if len(heard) > stop:
                raise Interrupt

        with pytest.raises(Interrupt):
            quick(METHODS["smooth_grad"], net, x, scores.logit(1), None, progress=cancel)
        assert heard == told[: stop + 1]


def test_what_a_word_computes_is_no_part_of_the_pass(slow, clock):
    net, layer = slow
    x = torch.rand(1, 3, 16, 16)
    expected = quick(METHODS["score_cam"], net, x, scores.logit(1), layer)
    other = nn.Conv2d(3, 4, 3, padding=1)
    found = quick(METHODS["score_cam"], net, x, scores.logit(1), layer, progress=lambda *_: other(x))
    assert torch.equal(found, expected)
