"""Tests of one heatmap on the page Evaluate: curves, other metrics, randomization, other classes."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from math import isnan, nan
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...evaluation.registry import METRICS, Metric
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...messages import Message
from ...report import Chart, Section
from ..inputs.experiment import Experiment
from ..results import cost, metrics
from ..server import tasks
from ..server.queue import ReportProgress
from ..server.store import result_store
from ..session import settings
from ..session.language import error_text, sources, tr, tr_message
from ..session.markdown import escaped
from ..widgets import stage
from ..widgets.tiles import (
    Tile,
    as_report_images,
    draw,
    limits_of,
    measure_snippet,
    metric_sentence,
    randomization_tiles,
    show_limitation,
    show_maps,
    tiles,
)
from . import conclusions, control_numbers

ARROWS = {"low": "↓", "high": "↑"}  # the direction of good values
FEW_PASSES = 2  # forward passes of a metric that is computed at once
SINGLE_METRICS = ("road", "average_drop", "increase_in_confidence", "infidelity", "max_sensitivity", "sparseness")

Settings = Mapping[str, Any]


def measures(experiment: Experiment, question: Question) -> list[Section]:
    """Show the other metrics of the heatmap beside the best control in a table; return a report's section."""
    wanted = [METRICS[key] for key in SINGLE_METRICS]
    controls = [experiment.question(one) for one in metrics.controls_for(experiment) if one != question.method]
    status, place = st.container(), st.container(key="other_metrics").empty()

    def redraw() -> None:
        place.table(
            {
                tr("Metric"): [f"**{tr_message(one.title)}** {ARROWS[one.better]}" for one in wanted],
                tr("This heatmap"): [tr_message(_value(question, one)) for one in wanted],
                tr("Best control"): [tr_message(_best_control(controls, one)) for one in wanted],
                tr("Meaning and *limitations*"): [
                    f"{tr_message(one.tooltip)} *{tr_message(one.limitation)}*" for one in wanted
                ],
            }
        )

    redraw()
    cells = [(each, one) for one in wanted for each in (question, *controls)]
    quick = [cell for cell in cells if cell[1].cost <= FEW_PASSES and not cell[1].explains_again]
    with status:
        if _seconds(quick) <= tasks.PATIENCE:
            _compute_measures("measures.quick", quick, redraw)
        _compute_measures("measures", cells, redraw)
    rows = [
        (one.title, _value(question, one), _best_control(controls, one), Message(one.better), limits_of(one))
        for one in wanted
    ]
    code = [measure_snippet({one.key: {} for one in wanted if not one.explains_again})]
    head = (
        Message("metric"),
        Message("this heatmap"),
        Message("best control"),
        Message("good values"),
        Message("meaning"),
    )
    return [Section(Message("Other metrics of this heatmap"), table=[head, *rows], code=code)]


def _seconds(cells: Sequence[tuple[Question, Metric]]) -> float:
    return sum(cost.metric_seconds(question, metric) for question, metric in cells)


def _compute_measures(name: str, cells: Sequence[tuple[Question, Metric]], finished: Callable[[], None]) -> None:
    """Compute the missing numbers metric by metric; after Cancel the finished ones are kept.

    `finished()` is called when a metric of the heatmap and of all controls is known.
    """
    missing = [(question, metric) for question, metric in cells if metrics.known(question, metric) is None]
    seconds = [cost.metric_seconds(question, metric) for question, metric in missing]
    if not missing:
        return

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report, seconds, lambda done: tr("{done} of {total} numbers", done=done, total=len(missing))
        )
        for number, ((question, metric), part) in enumerate(zip(missing, parts, strict=True)):
            try:
                metrics.number(question, metric, part)
            except CamvizError as error:
                metrics.keep(question, metric, nan)
                result_store().put(_refusal_key(question, metric), error.message)
            if metric not in [other for _, other in missing[number + 1 :]]:
                finished()
        return True

    key = (name, *((question.key, metric.key) for question, metric in cells))
    tasks.run(name, key, _seconds(missing), tr("Compute the metrics"), work, keep=False)


def _value(question: Question, metric: Metric) -> str:
    value = metrics.known(question, metric)
    if value is None:
        return Message("pending")
    return (result_store().get(_refusal_key(question, metric)) or "–") if isnan(value) else f"{value:.3f}"


def _best_control(controls: Sequence[Question], metric: Metric) -> str:
    values = {one.method.title: metrics.known(one, metric) for one in controls}
    if None in values.values():
        return Message("pending")
    known = {title: value for title, value in values.items() if value is not None and not isnan(value)}
    if not known:
        return "–"
    title, value = conclusions.best(metric, known)
    return Message("{value} ({title})", value=f"{value:.3f}", title=title)


def _refusal_key(question: Question, metric: Metric) -> Hashable:
    return "refused metric", metric.key, question.key


def randomization(experiment: Experiment, question: Question) -> list[Section]:
    """Show the heatmap while the layers are randomized, last to first; return a report's section."""
    metric = METRICS["randomization"]
    ways = metric.knobs["new_weights"].choices
    way = settings.setting("new_weights", ways[0], ways)
    place = st.container()
    st.segmented_control(
        tr("New weights"),
        ways,
        format_func=tr_message,
        key="new_weights",
        required=True,
        persist_state="session",
        help=tr_message(metric.knobs["new_weights"].help),
    )

    def work(report: ReportProgress) -> tuple[Any, list[Tile]]:
        found = metrics.compute(question, metric, report, new_weights=way)
        return (
            (found.depths, found.correlations, found.similarities, float(found)),
            randomization_tiles(question, found),
        )

    with place:
        result = _run("randomization", question, metric, tr("Run the randomization test"), work, new_weights=way)
        if result is None:
            return []
        (depths, correlations, similarities, mean), images = result
        verdict = conclusions.randomization(correlations)
        st.markdown(f"**{tr_message(verdict)}**")
        show_maps(images, "randomized", question)
        chart = Chart(
            {
                Message("rank correlation (r)"): (depths, correlations),
                Message("structural similarity (SSIM)"): (depths, similarities),
            },
            Message("share of the layers randomized, from the last"),
            Message("similarity to the original heatmap"),
            Message(
                "Similarity to the original heatmap while the layers are randomized: r = {r:.2f} at the end",
                r=correlations[-1],
            ),
        )
        draw(chart, "randomization")
        scale = Message(
            "1: same heatmap; 0: unrelated. A line that falls at once means that the heatmap depends on the "
            "learned weights."
        )
        number = Message("Mean of |r|: {mean:.2f}.", mean=mean)
        st.caption(f"{tr_message(scale)} {sources(metric)}")
        best = _compared(experiment, question, metric, number, new_weights=way)
        show_limitation(metric)
    texts = [verdict, number, best, scale, metric_sentence(metric)]
    return [Section(Message("Heatmaps for randomized weights"), texts, as_report_images(images), [chart])]


def other_classes(experiment: Experiment, question: Question) -> list[Section]:
    """Show the heatmaps of other classes, most to least likely; return a report's section."""
    metric = METRICS["class_contrast"]
    names = question.model.categories

    def work(report: ReportProgress) -> tuple[float, str, list[Tile]]:
        found = metrics.compute(question, metric, report)
        first, *others = [names[index] for index in found.classes]
        captions = [(first,), *((name, f"r = {r:.2f}") for name, r in zip(others, found.correlations, strict=True))]
        title = question.method.title
        alts = [Message("Heatmap of {label} by {method}", label=names[index], method=title) for index in found.classes]
        correlation, label = max(zip(found.correlations, others, strict=True))
        most_similar = Message("{label}, r = {correlation:.2f}", label=label, correlation=correlation)
        return float(found), most_similar, tiles(question, found.maps, captions, alts)

    result = _run("classes", question, metric, tr("Compute the heatmaps of other classes"), work)
    if result is None:
        return []
    mean, most_similar, images = result
    number = Message("Mean rank correlation: {mean:.2f}.", mean=mean)
    st.markdown(f"**{tr_message(conclusions.classes(mean, escaped(tr_message(most_similar))))}**")
    show_maps(images, "other_classes", question)
    best = _compared(experiment, question, metric, number)
    show_limitation(metric)
    texts = [conclusions.classes(mean, most_similar), number, best, metric_sentence(metric)]
    return [Section(Message("Heatmaps of other classes"), texts, as_report_images(images))]


def _run(
    name: str, question: Question, metric: Metric, what: str, work: Callable[[ReportProgress], Any], **settings: Any
) -> Any:
    """Run a metric that explains again; show an error if the method cannot be used here."""
    try:
        return tasks.run(name, _key(name, question, settings), cost.metric_seconds(question, metric), what, work)
    except CamvizError as error:
        st.error(error_text(error))
        return None


def _compared(experiment: Experiment, question: Question, metric: Metric, number: str, **settings: Any) -> Message:
    """Show a number of the heatmap beside that of the best control, and return the latter as a sentence."""
    place = st.empty()

    def show_number(best: Message) -> None:
        better = conclusions.BETTER[metric.better]
        place.markdown(" ".join(tr_message(one) for one in (number, best, better)))

    show_number(conclusions.best_control(metric, {}))
    best = control_numbers.best_control(experiment, question, metric, settings)
    show_number(best)
    return best


def map_of(e: Explanation) -> None:
    """Show the tested heatmap on a small stage."""
    question = e.question
    title, label = tr_message(question.method.title), tr_message(e.label)
    stage.stage(
        "evaluated",
        stage.original(question.model, question.image, question.fit),
        (e.view.shape[0], e.view.shape[1]),
        stage.map_of(e),
        stage.look(),
        tr("{method} of {label} over the image", method=title, label=label),
    )
    st.caption(tr("{method} of {label}", method=title, label=escaped(label)))


def _key(name: str, question: Question, settings: Settings) -> Hashable:
    return name, question.key, tuple(sorted(settings.items()))
