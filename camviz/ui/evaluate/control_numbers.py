"""A metric of the controls, with which a heatmap's number is compared."""

from collections.abc import Hashable, Mapping
from math import isnan, nan
from typing import Any

from ...errors import CamvizError
from ...evaluation.registry import Metric
from ...explanation.question import Question
from ...messages import Message
from ..inputs.experiment import Experiment
from ..results import cost, metrics
from ..server import tasks
from ..server.queue import ReportProgress
from ..server.store import result_store
from ..session.language import tr
from . import conclusions


def best_control(experiment: Experiment, question: Question, metric: Metric, settings: Mapping[str, Any]) -> Message:
    """Compute the metric of the controls at once, with Cancel, and name the best one; pending until all are known."""
    controls = [experiment.question(one) for one in metrics.controls_for(experiment) if one != question.method]
    keys = {one.method.title: _key(one, metric, settings) for one in controls}
    missing = [one for one in controls if result_store().get(_key(one, metric, settings)) is None]
    seconds = [cost.explanation_seconds(one) + cost.metric_seconds(one, metric) for one in missing]

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report,
            seconds,
            lambda done: tr(
                "Controls: {done} of {total}", done=len(controls) - len(missing) + done, total=len(controls)
            ),
        )
        for one, part in zip(missing, parts, strict=True):
            try:
                value = float(metrics.compute(one, metric, part, **settings))
            except CamvizError:
                value = nan
            result_store().put(_key(one, metric, settings), value)
        return True

    if missing:
        name = f"controls.{metric.key}"
        what = tr("Compare with the controls")
        tasks.run(name, (name, *keys.values()), sum(seconds), what, work, ask="never", keep=False)
    values = {title: result_store().get(key) for title, key in keys.items()}
    if None in values.values():
        return conclusions.best_control(metric, {})
    known = {title: value for title, value in values.items() if not isnan(value)}
    return conclusions.best_control(metric, known, decimals=2)


def _key(question: Question, metric: Metric, settings: Mapping[str, Any]) -> Hashable:
    return "number", metric.key, question.key, tuple(sorted(settings.items()))
