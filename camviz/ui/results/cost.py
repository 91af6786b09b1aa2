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

FEW_PASSES = 6  # forward passes' time of a method of few passes: its backward pass and its map included
BATCHED = 1.5  # the same for an image in a batch, its decoding included


def seconds_per_pass(model: Model) -> float:
    """Return how long a forward pass of one image takes, measured once."""

    def measure() -> float:
        x = torch.zeros(1, *model.input_shape, device=model.device)
        with compute_queue().turn(lambda _: None), torch.no_grad():
            forward(model.net, x)
            clock = stopwatch(x.device)
            started = clock()
            forward(model.net, x)
            return clock() - started

    return result_store().seconds(("forward pass", *model.key), measure)


def explanation_seconds(question: Question, few: float = FEW_PASSES) -> float:
    """Return about how many seconds an explanation takes here, whether or not it is in the store.

    `few`: how many forward passes' time a method of few passes needs. 0 for a question that has no answer: computing it
    will tell the reason.
    """
    key = duration_key(question)
    if not question.method.many_passes:
        return few * seconds_per_pass(question.model)

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
    once = explanation_seconds(question) if metric.explains_again else seconds_per_pass(question.model)
    return metric.cost * share * once
