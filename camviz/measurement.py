"""Measure how faithful an explanation is, by any metric."""

from typing import Any

import torch

from .errors import CamvizError, MetricError
from .evaluation.registry import METRICS, Metric, Subject
from .explanation.explanation import Explanation
from .runtime.progress import Progress, check_progress
from .scores import headed, logit, probability


def measure(
    explanation: Explanation, metric: str | Metric, *, progress: Progress | None = None, **settings: Any
) -> Any:
    """Return what a metric says of an explanation; `float()` of it is the number.

    `metric`: its key in `camviz.evaluation.registry.METRICS`, such as "deletion". `settings`: the metric's own.
    `progress(done, total)` is called between passes; what it raises ends the measurement. Raises CamvizError if the
    metric cannot be used on this map.
    """
    if not isinstance(explanation, Explanation):
        raise CamvizError(
            "a metric measures an explanation, as camviz.explain returns it; got {kind}",
            kind=type(explanation).__name__,
        )
    if not isinstance(metric, str | Metric):
        raise CamvizError("a metric is given by its key, such as 'deletion'; got {metric}", metric=repr(metric)[:60])
    if isinstance(metric, str):
        metric = METRICS[metric]
    check_progress(progress)
    last = [0, 1]

    def report(done: int, total: int) -> None:
        last[:] = done, total
        if progress is not None:
            progress(done, total)

    def heartbeat(*_: int) -> None:
        report(last[0], last[1])

    with explanation.question.model.running(), headed(explanation.question.model.probabilities):
        return metric.measure(subject_of(explanation, heartbeat), progress=report, **settings)


def subject_of(explanation: Explanation, progress: Progress | None = None) -> Subject:
    """Return what metrics need of an explanation; the score that they watch is the probability of its class.

    `progress` is called by methods of many passes when a metric explains again.
    """
    question, index = explanation.question, explanation.target
    if index is None:
        raise MetricError("this score belongs to no class, so there is no probability to watch")
    net = question.model.net
    x = question.model.normalize(explanation.view)
    return Subject(
        net=net,
        x=x,
        score=probability(index),
        attribution=torch.from_numpy(explanation.attribution).to(x),
        explain=lambda net, x: question.maps(net, x, explanation.score, progress).detach(),
        explain_class=lambda c: question.maps(net, x, logit(c), progress).detach(),
        target=index,
    )
