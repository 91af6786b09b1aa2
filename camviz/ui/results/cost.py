"""How long a computation takes on this machine: the one cost model of all pages."""

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

CAM_PASSES = 2  # forward passes' time of a class activation map of few passes, with its backward pass and its drawing
PIXEL_PASSES = 5  # the same of an attribution of the pixels: from a gradient, 3, to LRP, 9
CONTROL_PASSES = 1  # the same of a control, which needs the class scores, or one activation
SERIES = 0.65  # of the time of a forward pass alone for one of many, whose batch norms are fused
BATCHED = 0.75  # of that time for each image of a batch, its decoding included


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

    `batched`: as one of several images in a batch. 0 for a question that has no answer: computing it will tell the
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
    """Return what the duration of an explanation depends on: not on the image, nor on the class."""
    return (
        "explanation",
        *question.model.key,
        question.method.key,
        question.layers,
        *sorted(question.settings.items()),
    )


def metric_seconds(question: Question, metric: Metric, share: float = 1.0) -> float:
    """Return about how long a metric takes here; `share` is its settings' part of the default settings' work."""
    once = explanation_seconds(question) if metric.explains_again else SERIES * seconds_per_pass(question.model)
    return metric.cost * share * once
