"""Tests of one heatmap on the page Evaluate: curves, other metrics, randomization, other classes."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import streamlit as st

from ... import encode, render
from ...errors import CamvizError
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
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from ..session.settings import Span, setting
from ..widgets.tiles import (
    Tile,
    as_report_images,
    chart_of_curves,
    draw,
    limits_of,
    measure_snippet,
    metric_sentence,
    randomization_tiles,
    show,
    show_limitation,
    tiles,
)
from . import conclusions

FILLERS = {"published": "as published", "blur": "a blur", "mean": "the mean color"}
ALONE = ("road", "average_drop", "increase_in_confidence", "infidelity", "max_sensitivity", "sparseness")

Settings = Mapping[str, Any]


def curves(experiment: Experiment, question: Question) -> list[Section]:
    """Show deletion and insertion of the heatmap beside those of the controls.

    Returns a report's section.
    """
    filler = setting("filler", "published", FILLERS)
    steps = setting("steps", 28, Span(2, 112), int)
    settings = {"steps": steps, **({} if filler == "published" else {"filler": filler})}
    summary, status, charted, controls = (st.container(), st.container(), st.container(), st.container(horizontal=True))
    controls.segmented_control(
        tr("Replacement"),
        FILLERS,
        format_func=lambda key: tr(FILLERS[key]),
        key="filler",
        required=True,
        persist_state="session",
        help=tr("As published: the mean color for deletion, a strong blur for insertion."),
    )
    controls.slider(
        tr("Steps"),
        2,
        112,
        key="steps",
        persist_state="session",
        help=tr("In how many steps the pixels are replaced: more steps give a finer curve and take longer."),
    )
    with status:
        own = _pair(question, settings)
        if own is None:
            return []
        others = _controls(experiment, question, settings)
    label = experiment.model.categories[question.class_index or 0]
    against = conclusions.against(own, others) if others else ""
    summary.markdown(
        tr_message(conclusions.curves(escaped(label), *own)) + (f" **{tr_message(against)}**" if against else "")
    )
    charts_of_it = []
    for box, place, key in zip(charted.columns(2, gap="large"), (0, 1), ("deletion", "insertion"), strict=True):
        metric = METRICS[key]
        found = {question.method.title: own[place], **{title: pair[place] for title, pair in others.items()}}
        chart = chart_of_curves(metric, found, label)
        charts_of_it.append(chart)
        with box:
            st.subheader(f"{tr_message(metric.title)}: {own[place].area:.3f}")
            st.caption(f"{tr_message(metric.tooltip)} [{tr('Paper')}]({metric.paper})")
            draw(chart, key)
            show_limitation(metric)
    texts = [
        conclusions.curves(label, *own),
        against,
        *(metric_sentence(METRICS[key]) for key in ("deletion", "insertion")),
    ]
    settings_used = [HEAD, (Message("replacement"), Message(FILLERS[filler])), (Message("steps"), str(steps))]
    code = [measure_snippet({"deletion": settings, "insertion": settings})]
    texts = [one for one in texts if one]
    return [Section(Message("Deletion and insertion"), texts, charts=charts_of_it, table=settings_used, code=code)]


def _pair(question: Question, settings: Settings) -> tuple[Curve, Curve] | None:
    return tasks.run(
        "curves",
        _key("curves", question, settings),
        _seconds_of_pair(question, settings),
        tr("Compute the curves"),
        lambda report: _measured(question, settings, report),
    )


def _controls(experiment: Experiment, question: Question, settings: Settings) -> dict[str, tuple[Curve, Curve]]:
    others = [experiment.question(one) for one in metrics.controls_for(experiment) if one != question.method]

    def work(report: ReportProgress) -> dict[str, tuple[Curve, Curve]]:
        return {
            one.method.title: _measured(one, settings, tasks.part_of(report, place, len(others)))
            for place, one in enumerate(others)
        }

    key = ("controls", *(_key("curves", one, settings) for one in others))
    seconds = sum(_seconds_of_pair(one, settings) for one in others)
    what = tr("Compare with the controls")
    return tasks.run("controls", key, seconds, what, work) or {}


def _measured(question: Question, settings: Settings, report: ReportProgress) -> tuple[Curve, Curve]:
    deletion, insertion = (
        metrics.compute(question, METRICS[key], tasks.part_of(report, place, 2), **settings)
        for place, key in enumerate(("deletion", "insertion"))
    )
    return deletion, insertion


def _seconds_of_pair(question: Question, settings: Settings) -> float:
    steps: int = settings["steps"]
    return 2 * (steps + 1) * cost.seconds_per_pass(question.model)


def measures(question: Question) -> list[Section]:
    """Show the other metrics of the heatmap in a table; return a report's section."""
    wanted = [METRICS[key] for key in ALONE]
    seconds = sum(cost.metric_seconds(question, one) for one in wanted if metrics.known(question, one) is None)

    def work(report: ReportProgress) -> dict[str, str]:
        found = {}
        for place, one in enumerate(wanted):
            try:
                value = metrics.number(question, one, tasks.part_of(report, place, len(wanted)))
                found[one.key] = f"{value:.3f}"
            except CamvizError as error:
                found[one.key] = error.message
        return found

    key = _key("measures", question, {})
    numbers = tasks.run("measures", key, seconds, tr("Compute the metrics"), work)
    if numbers is None:
        return []
    st.table(
        {
            tr("Metric"): [f"**{tr_message(one.title)}**" for one in wanted],
            tr("This heatmap"): [tr_message(numbers[one.key]) for one in wanted],
            tr("Good values"): [tr_message(one.better) for one in wanted],
            tr("Meaning and *limitations*"): [
                f"{tr_message(one.tooltip)} *{tr_message(one.limitation)}*" for one in wanted
            ],
        }
    )
    rows = [(one.title, numbers[one.key], Message(one.better), limits_of(one)) for one in wanted]
    code = [measure_snippet({one.key: {} for one in wanted if not one.explains_again})]
    head = (Message("metric"), Message("this heatmap"), Message("good values"), Message("meaning"))
    return [Section(Message("Other metrics of this heatmap"), table=[head, *rows], code=code)]


def randomization(question: Question) -> list[Section]:
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
        show(images)
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
        st.caption(f"{tr_message(scale)} {tr_message(number)} [{tr('Paper')}]({metric.paper})")
        show_limitation(metric)
    texts = [verdict, number, scale, metric_sentence(metric)]
    return [Section(Message("Heatmaps for randomized weights"), texts, as_report_images(images), [chart])]


def other_classes(question: Question) -> list[Section]:
    """Show the heatmaps of other classes, most to least likely; return a report's section."""
    metric = METRICS["class_contrast"]
    names = question.model.categories

    def work(report: ReportProgress) -> tuple[float, str, list[Tile]]:
        found = metrics.compute(question, metric, report)
        first, *others = [names[index] for index in found.classes]
        captions = [(first,), *((name, f"r = {r:.2f}") for name, r in zip(others, found.correlations, strict=True))]
        title = question.method.title
        alts = [Message("Heatmap of {label} by {method}", label=names[index], method=title) for index in found.classes]
        most, likest = max(zip(found.correlations, others, strict=True))
        nearest = Message("{label}, r = {correlation:.2f}", label=likest, correlation=most)
        return float(found), nearest, tiles(question, found.maps, captions, alts)

    result = _run("classes", question, metric, tr("Compute the heatmaps of other classes"), work)
    if result is None:
        return []
    mean, likest, images = result
    number = Message("Mean rank correlation: {mean:.2f}.", mean=mean)
    st.markdown(f"**{tr_message(conclusions.classes(mean, escaped(tr_message(likest))))}** {tr_message(number)}")
    show(images)
    show_limitation(metric)
    texts = [conclusions.classes(mean, likest), number, metric_sentence(metric)]
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


def map_of(e: Explanation) -> None:
    """Show the tested heatmap, small."""
    jpeg = result_store().once(
        ("small overlay", "cividis", e.question.key), lambda: encode.jpeg(render.overlay(e.view, e.heatmap, 0.6))
    )
    title, label = tr_message(e.question.method.title), tr_message(e.label)
    st.image(jpeg, alt=tr("{method} of {label} over the image", method=title, label=label), width=220)
    st.caption(tr("{method} of {label}", method=title, label=escaped(label)))


def _key(name: str, question: Question, settings: Settings) -> Hashable:
    return name, question.key, tuple(sorted(settings.items()))
