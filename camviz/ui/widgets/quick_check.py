"""Three numbers under a map, after one click: deletion, insertion, and what stays when the network forgets."""

from collections.abc import Sequence
from math import isnan

import streamlit as st

from ...errors import CamvizError
from ...evaluation.registry import METRICS
from ...explanation.question import Question
from ..results import metrics
from ..results.cost import metric_seconds
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session.language import tr

THREE = {"deletion": "Deletion", "insertion": "Insertion", "randomization": "Stays when it forgets"}
BETTER = {"low": "lower is better", "high": "higher is better"}


def line(question: Question) -> str:
    """Return the numbers that are known of a heatmap, in one line; empty if there are none yet."""
    found = {key: metrics.known(question, METRICS[key]) for key in THREE}
    return " · ".join(
        f"{tr(THREE[key])} {tr('not to be had') if isnan(value) else format(value, '.2f')}"
        for key, value in found.items()
        if value is not None
    )


def ask(questions: Sequence[Question], name: str) -> bool:
    """Compute what is missing for all questions after one click; return whether all numbers are there.

    What is finished stays when it is canceled.
    """
    missing = [
        (question, METRICS[key])
        for question in questions
        for key in THREE
        if metrics.known(question, METRICS[key]) is None
    ]
    if missing:
        seconds = [metric_seconds(question, metric) for question, metric in missing]

        def work(report: ReportProgress) -> bool:
            for (question, metric), part in zip(missing, tasks.parts_of(report, seconds), strict=True):
                try:
                    metrics.number(question, metric, part)
                except CamvizError:  # the line says that there is none
                    metrics.keep(question, metric, float("nan"))
            return True

        what = tr("Test this map") if len(questions) == 1 else tr("Test all {count} maps", count=len(questions))
        key = ("quick check", *((question.key, metric.key) for question, metric in missing))
        if not tasks.run(name, key, sum(seconds), what, work, ask="always"):
            return False
    good = {key: tr(BETTER[METRICS[key].better]) for key in THREE}
    st.caption(
        tr(
            "Deletion: {deletion}; insertion: {insertion}; stays when it forgets: {randomization}. What each of them "
            "means, and what it can't tell, is on the page Evaluate.",
            **good,
        )
    )
    return True


def show(question: Question) -> None:
    """For one heatmap: the button, and the numbers once they are there."""
    place = st.empty()
    if ask([question], "proof"):
        place.markdown(line(question))
