"""The ranking of methods on the page Evaluate: methods and controls by metrics, over several images."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import nan

import streamlit as st

from ...errors import CamvizError
from ...evaluation.registry import METRICS, Metric
from ...explanation.question import Question
from ...messages import Message
from ...registry import METHODS, Method
from ...report import Section
from ..inputs import image_input
from ..inputs.experiment import Experiment
from ..results import cost, explanations, metrics
from ..results.metrics import controls_for
from ..server import tasks
from ..server.queue import ReportProgress
from ..session import settings
from ..session.language import tr, tr_message
from ..widgets.tiles import metric_sentence
from . import pointing_game
from .ranking import Ranking, Row, columns_of, downloads, draw, report_table

DEFAULT_METHODS = ("grad_cam", "layer_cam", "guided_backprop")
DEFAULT_METRICS = ("deletion", "insertion")
DEFAULT_IMAGES = 4


@dataclass(frozen=True)
class Cell:
    """One value in the table: a metric of a method on an image."""

    question: Question
    metric: Metric
    mosaic: pointing_game.Mosaic | None = None
    quarter: int = 0

    @property
    def value(self) -> float | None:
        """Return the value if known; NaN if the metric cannot be used on this heatmap."""
        if self.mosaic is not None:
            result = pointing_game.known(self.question, self.mosaic)
            return None if result is None else result.shares[self.quarter]
        return nan if self.metric.of_mosaics else metrics.known(self.question, self.metric)

    @property
    def key(self) -> Hashable:
        """Return the cache key, by content."""
        if self.mosaic is not None:
            return self.quarter, pointing_game.key_of(self.question, self.mosaic)
        return self.metric.key, self.question.key

    @property
    def seconds(self) -> float:
        """Return the estimated seconds, including the heatmap."""
        if self.mosaic is not None:
            return pointing_game.seconds(self.question) / 4  # of four images at once
        of_map = 0.0 if explanations.known(self.question) is not None else cost.explanation_seconds(self.question)
        return of_map + cost.metric_seconds(self.question, self.metric)

    def compute(self, report: ReportProgress) -> None:
        """Compute and cache the value; NaN if the metric cannot be used on this heatmap."""
        if self.mosaic is not None:
            pointing_game.compute(self.question, self.mosaic, report)
            return
        try:
            metrics.number(self.question, self.metric, report)
        except CamvizError:
            metrics.keep(self.question, self.metric, nan)


def table(experiment: Experiment) -> list[Section]:
    """Choose methods, metrics and images, compute missing values, show the table; return a report's sections."""
    methods, metrics, over = _choose(experiment)
    if not methods or not metrics or not over:
        st.info(tr("Choose at least one method, one metric and one image."))
        return []
    subjects = {key: replace(experiment, image=one, target=-1, rival=-1) for key, one in over.items()}
    has_mosaics = any(metric.of_mosaics for metric in metrics)
    mosaics = pointing_game.mosaics(experiment, over) if has_mosaics else []
    places = {key: (mosaic, quarter) for key, mosaic, quarter in mosaics}

    def cell(key: str, method: Method, metric: Metric) -> Cell:
        return Cell(subjects[key].question(method), metric, *(places.get(key, ()) if metric.of_mosaics else ()))

    cells = {
        (method.key, metric.key): [cell(key, method, metric) for key in subjects]
        for method in methods
        for metric in metrics
    }

    def ranking() -> Ranking:
        rows = [
            Row(method, {metric.key: [cell.value for cell in cells[method.key, metric.key]] for metric in metrics})
            for method in methods
        ]
        return Ranking(rows, metrics, len(subjects))

    controls, place = st.container(), st.empty()

    def redraw() -> None:
        if columns := columns_of(found := ranking()):
            with place.container():
                draw(found, columns)

    redraw()
    by_image = [
        [cells[method.key, metric.key][number] for metric in metrics for method in methods]
        for number in range(len(subjects))
    ]
    with controls:
        _compute(by_image, redraw)
    redraw()
    found = ranking()
    columns = columns_of(found)
    if columns:
        downloads(experiment, found, list(over))
    for metric in metrics:
        limitation = tr("**Limitations.** {limitation}", limitation=tr_message(metric.limitation))
        st.caption(f"**{tr_message(metric.title)}**: {tr_message(metric.tooltip)} {limitation}")
    if not columns:
        return []
    sentences = [found.sentence, *(metric_sentence(metric) for metric in metrics)]
    listed = [
        (Message("image"), Message("explained class")),
        *((over[key].name, one.predictions[0].label) for key, one in subjects.items()),
    ]
    table = report_table(columns)
    return [Section(Message("Methods"), sentences, table=table), Section(Message("Images"), table=listed)]


def _choose(experiment: Experiment) -> tuple[list[Method], list[Metric], dict[str, image_input.InputImage]]:
    refused = explanations.refusals(experiment)
    keys = [key for key, one in METHODS.items() if key not in refused and one.family != "control"]
    found = image_input.choices()
    left, right = st.columns(2)
    with left:
        methods = settings.many("ranking_methods", [key for key in DEFAULT_METHODS if key in keys], keys)
        st.multiselect(
            tr("Methods"),
            keys,
            format_func=lambda key: tr_message(METHODS[key].title),
            key="ranking_methods",
            placeholder=tr("Choose options"),
            persist_state="session",
            help=tr("Methods that work for this model and layer; the three controls are always included."),
        )
    with right:
        metrics = settings.many("metrics", DEFAULT_METRICS, list(METRICS))
        st.multiselect(
            tr("Metrics"),
            list(METRICS),
            format_func=lambda key: tr_message(METRICS[key].title),
            key="metrics",
            placeholder=tr("Choose options"),
            persist_state="session",
            help=tr("The meaning and the limitations of each metric stand below the table."),
        )
    over = settings.many("images", list(found)[:DEFAULT_IMAGES], list(found))
    st.multiselect(
        tr("Images"),
        list(found),
        format_func=lambda key: found[key].name,
        key="images",
        placeholder=tr("Choose options"),
        persist_state="session",
        help=tr("More images give narrower intervals and take longer."),
    )
    st.caption(
        tr(
            "Each image is explained for its predicted class, at the chosen layer. The three controls "
            "contain no information about the decision: a method that does not beat them has shown nothing."
        )
    )
    rows = [METHODS[key] for key in methods] + [one for one in controls_for(experiment) if methods]
    return rows, [METRICS[key] for key in metrics], {key: found[key] for key in over}


def _compute(by_image: Sequence[Sequence[Cell]], finished: Callable[[], None]) -> None:
    """Compute the missing values image by image, after a click if it takes long; finished ones are kept.

    `finished()` is called after each image.
    """
    key = ("league", *(cell.key for cells in by_image for cell in cells))
    missing = [[cell for cell in cells if cell.value is None] for cells in by_image]
    seconds = [cell.seconds for cells in missing for cell in cells]
    if not seconds:
        return

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report, seconds, lambda done: tr("{done} of {total} numbers", done=done, total=len(seconds))
        )
        for cells in missing:
            for cell in cells:
                cell.compute(next(parts))
            finished()
        return True

    what = tr("Compute {count} numbers", count=len(seconds))
    if tasks.was_canceled("league", key):
        what = tr("Continue with {count} numbers", count=len(seconds))
    tasks.run("league", key, sum(seconds), what, work, keep=False, keeps=tr("The finished numbers are kept."))
