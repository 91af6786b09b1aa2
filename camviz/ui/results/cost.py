"""The expected duration of computations on this machine: the cost model of all pages."""

import torch

from ...errors import CamvizError
from ...evaluation.registry import Metric
from ...explanation.explain import estimate
from ...explanation.question import Question
from ...models import Model
from ...runtime.devices import stopwatch
from ...tape import forward
from ..server.queue import compute_queue
from ..server.store import result_store

# Durations, in forward passes, backward pass and drawing included.
CAM_PASSES = 2  # of a class activation map of few passes
PIXEL_PASSES = 5  # of an attribution of the pixels: from 3 for a gradient to 9 for LRP
CONTROL_PASSES = 1  # of a control, which needs the class scores, or one activation
SERIES = 0.65  # of one of many forward passes with fused batch norms, relative to a pass alone
BATCHED = 0.75  # of each image of a batch, its decoding included, relative to a pass alone


def seconds_per_pass(model: Model) -> float:
    """Return how long a forward pass of one image takes, the shortest of three, measured once."""

    def measure() -> float:
        x = torch.zeros(1, *model.input_shape, device=model.device)
        with compute_queue().turn(lambda _: None), torch.no_grad():
            forward(model.net, x)
            clock, taken = stopwatch(x.device), []
            for _ in range(3):
                started = clock()
                forward(model.net, x)
                taken.append(clock() - started)
            return min(taken)

    return result_store().seconds(("forward pass", *model.key), measure)


def explanation_seconds(question: Question, *, batched: bool = False) -> float:
    """Return about how many seconds an explanation takes here, whether or not it is in the store.

    `batched`: as one of several images in a batch. Returns 0 for a question without an answer; computing it raises the
    reason.
    """
    key = duration_key(question)
    if not question.method.many_passes:
        passes = {"cam": CAM_PASSES, "control": CONTROL_PASSES}.get(question.method.family, PIXEL_PASSES)
        return passes * (BATCHED if batched else 1) * seconds_per_pass(question.model)

    def measure() -> float:
        with compute_queue().turn(lambda _: None):
            return estimate(question)

    try:
        return result_store().seconds(key, measure)
    except CamvizError:
        return 0.0


def duration_key(question: Question) -> tuple[object, ...]:
    """Return the key of the duration of an explanation, which depends on neither the image nor the class."""
    return (
        "explanation",
        *question.model.key,
        question.method.key,
        question.layers,
        *sorted(question.settings.items()),
    )


def metric_seconds(question: Question, metric: Metric, share: float = 1.0) -> float:
    """Return about how long a metric takes here; `share` is its work in relation to that of the default settings."""
    once = explanation_seconds(question) if metric.explains_again else SERIES * seconds_per_pass(question.model)
    return metric.cost * share * once
