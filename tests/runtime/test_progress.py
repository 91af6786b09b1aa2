"""Progress is reported at least every 300 ms, even during a long forward or backward pass."""

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
    """Advance the clock in the forward and in the backward pass."""

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
def test_every_method_reports_progress_every_300_ms(method, slow, clock):
    net, layer = slow
    x, times = torch.rand(1, 3, 16, 16), [0.0]
    chosen = None if method.layer == "none" else layer
    quick(method, net, x, scores.logit(1), chosen, progress=lambda *_: times.append(clock.now))
    times.append(clock.now)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[-1] > 1.5 and max(gaps) <= 0.3


def test_metrics_report_progress_every_300_ms(slow, clock):
    net, _ = slow
    x, times = torch.rand(1, 3, 16, 16), [0.0]
    subject = Subject(net, x, scores.probability(1), torch.rand(16, 16))
    METRICS["deletion"].measure(subject, steps=4, progress=lambda *_: times.append(clock.now))
    assert max(later - earlier for earlier, later in pairwise(times)) <= 0.3


def test_heartbeat_repeats_the_last_report_and_can_cancel_a_gradient(slow, clock):
    net, _ = slow
    x, reports = torch.rand(1, 3, 16, 16), []
    quick(METHODS["smooth_grad"], net, x, scores.logit(1), None)  # profiles the network, once
    quick(METHODS["smooth_grad"], net, x, scores.logit(1), None, progress=lambda *what: reports.append(what))
    total = reports[-1][1]
    first = reports.index((total, total)) if reports.count((total, total)) else 0
    assert set(reports[:1]) <= {(0, 1), (0, total)} and reports[first:] == [(total, total)]
    for stop in range(len(reports)):
        reports_before = []

        def cancel(*what, reports_before=reports_before, stop=stop):
            reports_before.append(what)
            if len(reports_before) > stop:
                raise Interrupt

        with pytest.raises(Interrupt):
            quick(METHODS["smooth_grad"], net, x, scores.logit(1), None, progress=cancel)
        assert reports_before == reports[: stop + 1]


def test_computation_in_the_callback_is_not_recorded(slow, clock):
    net, layer = slow
    x = torch.rand(1, 3, 16, 16)
    expected = quick(METHODS["score_cam"], net, x, scores.logit(1), layer)
    other = nn.Conv2d(3, 4, 3, padding=1)
    found = quick(METHODS["score_cam"], net, x, scores.logit(1), layer, progress=lambda *_: other(x))
    assert torch.equal(found, expected)
