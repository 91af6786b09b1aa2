"""What the Evaluate page draws of one picture and one method: curves, other measures, forgetting, other classes."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import streamlit as st

from ... import encode, render
from ...errors import CamvizError
from ...evaluation.perturbation_curve import Curve
from ...evaluation.registry import METRICS, Metric
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...report import Chart, Section
from ..inputs.experiment import Experiment
from ..results import metrics
from ..results.cost import metric_seconds, seconds_per_pass
from ..server import tasks
from ..server.store import result_store
from ..server.tasks import ReportProgress
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from ..session.settings import Span, setting
from ..widgets.tiles import (
    Tile,
    as_report_images,
    draw,
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
    """Deletion and insertion of the present map, beside those of the controls, in words and as two charts.

    Returns what a report says of them.
    """
    filler = setting("filler", "published", FILLERS)
    steps = setting("steps", 28, Span(2, 112), int)
    settings = {"steps": steps, **({} if filler == "published" else {"filler": filler})}
    told, status, charted, looks = (st.container(), st.container(), st.container(), st.container(horizontal=True))
    looks.segmented_control(
        tr("A pixel is replaced by"),
        FILLERS,
        format_func=lambda key: tr(FILLERS[key]),
        key="filler",
        required=True,
        persist_state="session",
        help=tr("As published: the mean color for deletion, a strong blur for insertion."),
    )
    looks.slider(
        tr("Steps"),
        2,
        112,
        key="steps",
        persist_state="session",
        help=tr("In how many steps the pixels go: more draw a finer curve and take longer."),
    )
    with status:
        own = _pair(question, settings)
        if own is None:
            return []
        others = _controls(experiment, question, settings)
    label = experiment.model.categories[question.class_index or 0]
    against = conclusions.against(own, others) if others else ""
    told.markdown(
        tr_message(conclusions.curves(escaped(label), *own)) + (f" **{tr_message(against)}**" if against else "")
    )
    charts_of_it = []
    for box, place, key in zip(charted.columns(2, gap="large"), (0, 1), ("deletion", "insertion"), strict=True):
        metric = METRICS[key]
        found = {question.method.title: own[place], **{title: pair[place] for title, pair in others.items()}}
        chart = Chart(
            {f"{name}: {curve.area:.3f}": (curve.fractions, curve.values) for name, curve in found.items()},
            "share of the pixels brought in" if place else "share of the pixels replaced",
            f"probability of {label}",
            f"{metric.title}: " + ", ".join(f"area {curve.area:.3f} for {name}" for name, curve in found.items()),
        )
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
    settings_used = [("setting", "value"), ("a pixel is replaced by", FILLERS[filler]), ("steps", str(steps))]
    code = [measure_snippet({"deletion": settings, "insertion": settings})]
    texts = [one for one in texts if one]
    return [Section("Deletion and insertion", texts, charts=charts_of_it, table=settings_used, code=code)]


def _pair(question: Question, settings: Settings) -> tuple[Curve, Curve] | None:
    return tasks.run(
        "curves",
        _key("curves", question, settings),
        _seconds_of_pair(question, settings),
        tr("Draw the curves"),
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
    what = tr("Add the controls, which know nothing of the reasons")
    return tasks.run("controls", key, seconds, what, work) or {}


def _measured(question: Question, settings: Settings, report: ReportProgress) -> tuple[Curve, Curve]:
    deletion, insertion = (
        metrics.compute(question, METRICS[key], tasks.part_of(report, place, 2), **settings)
        for place, key in enumerate(("deletion", "insertion"))
    )
    return deletion, insertion


def _seconds_of_pair(question: Question, settings: Settings) -> float:
    steps: int = settings["steps"]
    return 2 * (steps + 1) * seconds_per_pass(question.model)


def measures(question: Question) -> list[Section]:
    """The other single numbers of the present map in a table, each with what it can't tell; and a report's section."""
    wanted = [METRICS[key] for key in ALONE]
    seconds = sum(metric_seconds(question, one) for one in wanted if metrics.known(question, one) is None)

    def work(report: ReportProgress) -> dict[str, str]:
        found = {}
        for place, one in enumerate(wanted):
            try:
                value = metrics.number(question, one, tasks.part_of(report, place, len(wanted)))
                found[one.key] = f"{value:.3f}"
            except CamvizError as error:
                found[one.key] = str(error)
        return found

    key = _key("measures", question, {})
    numbers = tasks.run("measures", key, seconds, tr("Measure"), work)
    if numbers is None:
        return []
    st.table(
        {
            tr("Measure"): [f"**{tr_message(one.title)}**" for one in wanted],
            tr("This map"): [tr_message(numbers[one.key]) for one in wanted],
            tr("Good is"): [tr_message(one.better) for one in wanted],
            tr("What it asks, and *what it can't tell*"): [
                f"{tr_message(one.tooltip)} *{tr_message(one.limitation)}*" for one in wanted
            ],
        }
    )
    rows = [
        (one.title, numbers[one.key], one.better, f"{one.tooltip} What it can't tell. {one.limitation}")
        for one in wanted
    ]
    code = [measure_snippet({one.key: {} for one in wanted if not one.explains_again})]
    table = [("measure", "this map", "good is", "what it tells"), *rows]
    return [Section("Other measures of this map", table=table, code=code)]


def forgetting(question: Question) -> list[Section]:
    """The map while the network forgets, from its last layer to its first; and the same for a report."""
    metric = METRICS["randomization"]
    ways = metric.knobs["way"].choices
    way = settings.setting("forget", ways[0], ways)
    place = st.container()
    st.segmented_control(
        tr("New weights"),
        ways,
        format_func=tr_message,
        key="forget",
        required=True,
        persist_state="session",
        help=tr_message(metric.knobs["way"].help),
    )

    def work(report: ReportProgress) -> tuple[Any, list[Tile]]:
        found = metrics.compute(question, metric, report, way=way)
        return (
            (found.depths, found.correlations, found.similarities, float(found)),
            randomization_tiles(question, found),
        )

    with place:
        result = _run("forgetting", question, metric, tr("Let a copy of the network forget"), work, way=way)
        if result is None:
            return []
        (depths, correlations, similarities, mean), pictures = result
        verdict = conclusions.forgetting(correlations)
        st.markdown(f"**{tr_message(verdict)}**")
        show(pictures)
        chart = Chart(
            {"rank correlation (r)": (depths, correlations), "structural similarity (SSIM)": (depths, similarities)},
            "share of the layers that have forgotten, from the last",
            "likeness to the map as trained",
            f"Likeness to the map as trained against forgetting: r = {correlations[-1]:.2f} at the end",
        )
        draw(chart, "forgetting")
        scale = "1: the same map; 0: unrelated. A line that falls at once is a map that depends on what was learned."
        number = f"Mean of |r|: {mean:.2f}."
        st.caption(f"{tr_message(scale)} {tr_message(number)} [{tr('Paper')}]({metric.paper})")
        show_limitation(metric)
    texts = [verdict, number, scale, metric_sentence(metric)]
    return [Section("The same map of a network that forgets", texts, as_report_images(pictures), [chart])]


def other_classes(question: Question) -> list[Section]:
    """The map of the class beside those of others, from the runner-up to the least likely; and a report's section."""
    metric = METRICS["class_contrast"]
    names = question.model.categories

    def work(report: ReportProgress) -> tuple[float, str, list[Tile]]:
        found = metrics.compute(question, metric, report)
        first, *others = [names[index] for index in found.classes]
        captions = [(first,), *((name, f"r = {r:.2f}") for name, r in zip(others, found.correlations, strict=True))]
        alts = [f"Map of {names[index]} by {question.method.title}" for index in found.classes]
        most, likest = max(zip(found.correlations, others, strict=True))
        return float(found), f"{likest}, r = {most:.2f}", tiles(question, found.maps, captions, alts)

    result = _run("classes", question, metric, tr("Ask for other classes"), work)
    if result is None:
        return []
    mean, likest, pictures = result
    number = f"Mean rank correlation: {mean:.2f}."
    st.markdown(f"**{tr_message(conclusions.classes(mean, escaped(likest)))}** {tr_message(number)}")
    show(pictures)
    show_limitation(metric)
    texts = [conclusions.classes(mean, likest), number, metric_sentence(metric)]
    return [Section("The same picture, other classes", texts, as_report_images(pictures))]


def _run(
    name: str, question: Question, metric: Metric, what: str, work: Callable[[ReportProgress], Any], **settings: Any
) -> Any:
    """Run the work of one metric that explains again; an error box if the method cannot be used here."""
    try:
        return tasks.run(name, _key(name, question, settings), metric_seconds(question, metric), what, work)
    except CamvizError as error:
        st.error(error_text(error))
        return None


def map_of(e: Explanation) -> None:
    """Draw the heatmap that is tested, small."""
    jpeg = result_store().once(
        ("small overlay", "cividis", e.question.key), lambda: encode.jpeg(render.overlay(e.view, e.heatmap, 0.6))
    )
    title, label = tr_message(e.question.method.title), tr_message(e.label)
    st.image(jpeg, alt=tr("{method} of {label} over the picture", method=title, label=label), width=220)
    st.caption(tr("{method} of {label}", method=title, label=escaped(label)))


def _key(name: str, question: Question, settings: Settings) -> Hashable:
    return name, question.key, tuple(sorted(settings.items()))
