"""Measure how faithful an explanation is, by any metric."""

from typing import Any

import torch

from .errors import CamvizError, MetricError
from .evaluation.registry import METRICS, Metric, Subject
from .explanation.explanation import Explanation
from .runtime.progress import Progress, check_progress
from .scores import logit, probability, using_head


def measure(
    explanation: Explanation, metric: str | Metric, *, progress: Progress | None = None, **settings: Any
) -> Any:
    """Return the result of a metric for an explanation; `float()` of it is the number.

    `metric`: its key in `camviz.evaluation.registry.METRICS`, such as "deletion". `settings`: the settings of the
    metric. `progress(done, total)` is called between passes; an exception from it ends the measurement. Raises
    CamvizError if the metric is not defined for this map.
    """
    if not isinstance(explanation, Explanation):
        raise CamvizError(
            "measure takes an explanation, as camviz.explain returns it; got {kind}",
            kind=type(explanation).__name__,
        )
    if not isinstance(metric, str | Metric):
        raise CamvizError("metric must be a key of METRICS, such as 'deletion'; got {metric}", metric=repr(metric)[:60])
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

    with explanation.question.model.running(), using_head(explanation.question.model.probabilities):
        return metric.measure(subject_of(explanation, heartbeat), progress=report, **settings)


def subject_of(explanation: Explanation, progress: Progress | None = None) -> Subject:
    """Return the subject of metrics for an explanation. Their score is the probability of its class.

    `progress` is called by methods of many passes when a metric computes new maps.
    """
    question, index = explanation.question, explanation.target
    if index is None:
        raise MetricError(
            "this explanation is of a score without a class, so it has no probability to measure: explain a class"
        )
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
