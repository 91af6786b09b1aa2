"""Deletion and insertion of one heatmap on the page Evaluate: curves, the image at each step, the controls."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from ...evaluation.perturbation_curve import Curve
from ...evaluation.registry import METRICS, Metric
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...messages import Message
from ...report import HEAD, Chart, Section
from ..inputs.experiment import Experiment
from ..results import cost, metrics
from ..server import tasks
from ..server.queue import ReportProgress
from ..server.store import result_store
from ..session.language import sources, tr, tr_message
from ..session.markdown import escaped
from ..session.settings import Span, setting
from ..widgets.tiles import chart_of_curves, draw, measure_snippet, metric_sentence, show_limitation
from . import conclusions, perturbed_images

FILLERS = {"published": "As published", "blur": "Blur", "mean": "Mean color"}
KEYS = ("deletion", "insertion")
# Heights in pixels that are reserved while the curves are computed, so that nothing moves.
SENTENCE_HEIGHT, TEST_HEIGHT, CHART_HEIGHT = 52, 1080, 340

Settings = Mapping[str, Any]
Pair = tuple[Curve, Curve]  # deletion and insertion


@dataclass(frozen=True)
class CurveTest:
    """A test on the page; `number` is the position of its curve in a pair."""

    metric: Metric
    number: int
    best: Any  # the place of the best control
    charted: Any  # the place of the chart

    def chart(self, question: Question, own: Pair, others: Mapping[str, Pair], label: str) -> Chart:
        """Return the chart of the heatmap's curve and those of the controls."""
        found = {title: pair[self.number] for title, pair in {question.method.title: own, **others}.items()}
        return chart_of_curves(self.metric, found, label)

    def compare(self, others: Mapping[str, Pair]) -> None:
        """Draw the area of the best control, or that it is pending."""
        areas = {title: float(pair[self.number]) for title, pair in others.items()}
        best = conclusions.best_control(self.metric, areas)
        self.best.markdown(f"{tr_message(best)} {tr_message(conclusions.BETTER[self.metric.better])}")


def curves(experiment: Experiment, e: Explanation, top: Any) -> list[Section]:
    """Compute and show deletion and insertion of the heatmap, and then those of the controls.

    The conclusion and the progress are drawn at `top`. Returns a report's section.
    """
    filler = setting("filler", "published", FILLERS)
    steps = setting("steps", 28, Span(2, 112), int)
    settings = {"steps": steps, **({} if filler == "published" else {"filler": filler})}
    question = e.question
    summary, status, verdict = top.empty(), top.container(), top.empty()
    boxes = [column.empty() for column in st.columns(2, gap="large")]
    _draw_settings()
    summary.skeleton(SENTENCE_HEIGHT)
    for box in boxes:
        box.skeleton(TEST_HEIGHT)
    with status:
        own = _own(question, settings)
    if own is None:
        for place in (summary, *boxes):
            place.empty()
        return []
    label = experiment.model.categories[question.class_index or 0]
    tests = [_draw_test(box, number, e, own[number], settings, label) for number, box in enumerate(boxes)]
    controls = [experiment.question(one) for one in metrics.controls_for(experiment) if one != question.method]
    summary.markdown(tr_message(conclusions.curves(escaped(tr_message(label)), *own)))
    if not (others := _known(controls, settings)):
        for test in tests:
            test.compare({})
            test.charted.skeleton(CHART_HEIGHT)
        with status:
            _compute(controls, settings)
        others = _known(controls, settings)
    charts = [test.chart(question, own, others, label) for test in tests]
    for test, chart in zip(tests, charts, strict=True):
        test.compare(others)
        with test.charted.container():
            draw(chart, test.metric.key)
    if others:
        verdict.markdown(f"**{tr_message(conclusions.against(own, others))}**")
    texts = [
        conclusions.curves(label, *own),
        *([conclusions.against(own, others)] if others else []),
        *(metric_sentence(METRICS[key]) for key in KEYS),
    ]
    table = [HEAD, (Message("replacement"), Message(FILLERS[filler])), (Message("steps"), str(steps))]
    code = [measure_snippet({"deletion": settings, "insertion": settings})]
    return [Section(Message("Deletion and insertion"), texts, charts=charts, table=table, code=code)]


def _draw_settings() -> None:
    row = st.container(horizontal=True)
    row.segmented_control(
        tr("Replacement"),
        FILLERS,
        format_func=lambda key: tr(FILLERS[key]),
        key="filler",
        required=True,
        persist_state="session",
        help=tr("As published: the mean color for deletion, a strong blur for insertion."),
    )
    row.slider(
        tr("Steps"),
        2,
        112,
        key="steps",
        persist_state="session",
        help=tr("In how many steps the pixels are replaced: more steps give a finer curve and take longer."),
    )


def _draw_test(box: Any, number: int, e: Explanation, curve: Curve, settings: Settings, label: str) -> CurveTest:
    metric = METRICS[KEYS[number]]
    filler = metric.settings(settings)["filler"]
    with box.container():
        st.subheader(f"{tr_message(metric.title)}: {curve.area:.3f}")
        best = st.empty()
        perturbed_images.draw(e, metric, curve, filler, label, conclusions.EARLY)
        charted = st.empty()
        st.caption(f"{tr_message(metric.tooltip)} {sources(metric)}")
        show_limitation(metric)
    return CurveTest(metric, number, best, charted)


def _own(question: Question, settings: Settings) -> Pair | None:
    return tasks.run(
        "curves",
        _key(question, settings),
        _seconds(question, settings),
        tr("Compute the curves"),
        lambda report: _measured(question, settings, report),
        ask="never",
    )


def _known(questions: Sequence[Question], settings: Settings) -> dict[str, Pair]:
    """Return the curves by the title of the method; empty if one of them is missing."""
    found = {one.method.title: result_store().get(_key(one, settings)) for one in questions}
    return {} if None in found.values() else found


def _compute(questions: Sequence[Question], settings: Settings) -> None:
    """Compute the curves of the controls one after another; after Cancel the finished ones are kept."""
    missing = [one for one in questions if result_store().get(_key(one, settings)) is None]
    before = len(questions) - len(missing)
    seconds = [_seconds(one, settings) for one in missing]

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report, seconds, lambda done: tr("Controls: {done} of {total}", done=before + done, total=len(questions))
        )
        for one, part in zip(missing, parts, strict=True):
            tasks.once(_key(one, settings), partial(_measured, one, settings), part)
        return True

    key = ("controls", *(_key(one, settings) for one in questions))
    what = tr("Compare with the controls")
    tasks.run("controls", key, sum(seconds), what, work, ask="never", keep=False)


def _measured(question: Question, settings: Settings, report: ReportProgress) -> Pair:
    half = [_seconds(question, settings) / 2] * 2
    parts = tasks.parts_of(report, half, lambda done: tr("{done} of {total} curves", done=done, total=2))
    deletion, insertion = (
        metrics.compute(question, METRICS[key], part, **settings) for key, part in zip(KEYS, parts, strict=True)
    )
    return deletion, insertion


def _seconds(question: Question, settings: Settings) -> float:
    steps: int = settings["steps"]
    return 2 * (steps + 1) * cost.SERIES * cost.seconds_per_pass(question.model)


def _key(question: Question, settings: Settings) -> Hashable:
    return "curves", question.key, tuple(sorted(settings.items()))
