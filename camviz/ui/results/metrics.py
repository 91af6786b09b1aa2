"""Metrics on a page: computed in the queue, the numbers kept for all visitors."""

from math import isnan
from typing import Any

from ...evaluation.registry import Metric
from ...explanation.question import Question
from ...measurement import measure
from ...registry import METHODS, Method
from ..inputs.experiment import Experiment
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from . import explanations

CONTROLS = ("random_cam", "edge_detector", "center_gaussian")  # methods that any other one must beat


def controls_for(experiment: Experiment) -> list[Method]:
    """Return the controls that this model allows: one of them needs a layer."""
    return [METHODS[key] for key in CONTROLS if experiment.layers or METHODS[key].layer != "required"]


def compute(question: Question, metric: Metric, report: ReportProgress, **settings: Any) -> Any:
    """Return a metric's result for an explanation, computed now; a rerun of the page ends it in `report`.

    Raises CamvizError.
    """
    explanation = explanations.compute(question, report)
    with in_queue(report) as progress:
        result = measure(explanation, metric, progress=progress, **settings)
    if metric.settings(settings) == metric.settings({}):
        keep(question, metric, float(result))
    return result


def known(question: Question, metric: Metric) -> float | None:
    """Return a metric's number at its default settings, if it was computed before; NaN if it cannot be used here."""
    found: float | None = result_store().get(("metric", metric.key, question.key))
    return found


def number(question: Question, metric: Metric, report: ReportProgress) -> float:
    """Return a metric's number at its default settings, from the store or computed now. Raises CamvizError."""
    found = known(question, metric)
    return float(compute(question, metric, report)) if found is None or isnan(found) else found


def keep(question: Question, metric: Metric, value: float) -> None:
    """Keep a number for all visitors; it is found only by the content of the question."""
    result_store().put(("metric", metric.key, question.key), value)
