"""Three metrics below a heatmap, after one click: deletion, insertion, similarity after randomization."""

from collections.abc import Sequence
from math import isnan

import streamlit as st

from ...errors import CamvizError
from ...evaluation.registry import METRICS
from ...explanation.question import Question
from ..results import cost, metrics
from ..server import tasks
from ..server.queue import ReportProgress
from ..session.language import tr

THREE = {"deletion": "Deletion", "insertion": "Insertion", "randomization": "Similarity after randomization"}
BETTER = {"low": "lower is better", "high": "higher is better"}


def line(question: Question) -> str:
    """Return the known metrics of a heatmap in one line; empty if there are none."""
    found = {key: metrics.known(question, METRICS[key]) for key in THREE}
    return " · ".join(
        f"{tr(THREE[key])} {tr('not available') if isnan(value) else format(value, '.2f')}"
        for key, value in found.items()
        if value is not None
    )


def ask(questions: Sequence[Question], name: str) -> bool:
    """Compute the missing metrics of all cells after one click; return whether all are known.

    Finished numbers are kept after Cancel.
    """
    missing = [
        (question, METRICS[key])
        for question in questions
        for key in THREE
        if metrics.known(question, METRICS[key]) is None
    ]
    if missing:
        seconds = [cost.metric_seconds(question, metric) for question, metric in missing]

        def work(report: ReportProgress) -> bool:
            for (question, metric), part in zip(missing, tasks.parts_of(report, seconds), strict=True):
                try:
                    metrics.number(question, metric, part)
                except CamvizError:  # `line` shows that it is not available
                    metrics.keep(question, metric, float("nan"))
            return True

        what = tr("Test this heatmap") if len(questions) == 1 else tr("Test all {count} heatmaps", count=len(questions))
        key = ("quick check", *((question.key, metric.key) for question, metric in missing))
        if not tasks.run(name, key, sum(seconds), what, work, ask="always", kind="secondary", keep=False):
            return False
    good = {key: tr(BETTER[METRICS[key].better]) for key in THREE}
    st.caption(
        tr(
            "Deletion: {deletion}; insertion: {insertion}; similarity after randomization: {randomization}. The "
            "page Evaluate explains these numbers and their limitations.",
            **good,
        )
    )
    return True


def show(question: Question) -> None:
    """Draw the button for one heatmap, then its metrics."""
    with st.container(key="quick_check"):
        place = st.empty()
        if ask([question], "proof"):
            place.markdown(line(question))
