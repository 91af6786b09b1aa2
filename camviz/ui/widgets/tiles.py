"""What a test on the Evaluate page shows: maps in a row, charts, and the sentence of what a number can't tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from ... import encode, render, report, text
from ...evaluation.metrics.randomization import RandomizationResult
from ...evaluation.registry import Metric
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...report import Chart, ReportImage, Section
from ..inputs.experiment import Experiment
from ..session.language import tr, tr_message, translator
from ..session.markdown import escaped
from . import charts

DrawMap = Callable[[NDArray[np.uint8], NDArray[Any]], NDArray[np.uint8]]  # (the picture, a map) to what is shown


@dataclass(frozen=True)
class Tile:
    """A map over the picture as a JPEG, what stands below it line by line, and what it shows in words."""

    jpeg: bytes
    lines: tuple[str, ...]  # plain text
    alt: str


def overlay_map(view: NDArray[np.uint8], attribution: NDArray[Any]) -> NDArray[np.uint8]:
    """A map over a picture (H, W, 3)."""
    return render.overlay(view, render.heatmap(attribution, (view.shape[0], view.shape[1])), 0.6)


def tiles(
    question: Question,
    maps: Sequence[Tensor],
    captions: Sequence[tuple[str, ...]],
    alts: Sequence[str],
    looks: DrawMap = overlay_map,
) -> list[Tile]:
    """Maps of the present picture, each with its own scale, over the picture or as `looks` draws them."""
    view = question.view
    drawn = [encode.jpeg(looks(view, one.cpu().float().numpy())) for one in maps]
    return [Tile(jpeg, lines, alt) for jpeg, lines, alt in zip(drawn, captions, alts, strict=True)]


def randomization_tiles(question: Question, found: RandomizationResult, looks: DrawMap = overlay_map) -> list[Tile]:
    """The maps of a network that forgets, each with how much it has forgotten and how like the first it is."""
    depths = [text.percent(depth, 0, exact=True) for depth in found.depths]
    told = zip(depths, found.layers, found.correlations, found.similarities, strict=True)
    captions = [
        (f"{depth} forgotten", f"down to {layer}", f"r = {r:.2f}, SSIM = {alike:.2f}") if layer else ("as trained",)
        for depth, layer, r, alike in told
    ]
    alts = [f"{question.method.title} with {depth} of the layers forgotten" for depth in depths]
    return tiles(question, found.maps, captions, alts, looks)


def show(pictures: Sequence[Tile], width: int = 150) -> None:
    """Tiles in a row that wraps."""
    box = st.grid(min_column_width=width)
    for tile in pictures:
        with box.container():
            st.image(tile.jpeg, alt=tr_message(tile.alt), width="stretch")
            first, *others = (escaped(tr_message(line)) for line in tile.lines)
            st.caption("  \n".join([f"**{first}**", *others]))


def draw(chart: Chart, key: str) -> None:
    """A chart on the page; `key` tells it apart from the others."""
    lines = {tr_message(name): points for name, points in chart.lines.items()}
    figure = charts.lines(lines, tr_message(chart.across), tr_message(chart.up), charts.ink())
    st.plotly_chart(figure, key=key, alt=tr_message(chart.alt), config={"displayModeBar": False})


def translated_table(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """A table's columns by their names, with every text in the person's language."""
    return {
        tr_message(name): [tr_message(cell) if isinstance(cell, str) else cell for cell in cells]
        for name, cells in columns.items()
    }


def as_report_images(shown: Sequence[Tile]) -> list[ReportImage]:
    """Tiles for a report."""
    return [ReportImage(tile.jpeg, tile.alt, ", ".join(tile.lines)) for tile in shown]


def metric_sentence(metric: Metric) -> str:
    """What a metric asks, and what it does not tell, for a report."""
    return f"{metric.title}: {metric.tooltip} What it can't tell. {metric.limitation} {metric.paper}"


def measure_snippet(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the Python that measures an explanation again; `settings` by a metric's key."""
    lines = []
    for key, given in settings.items():
        knobs = "".join(f", {name}={value!r}" for name, value in given.items())
        lines.append(f'print("{key}", float(camviz.measure(explanation, "{key}"{knobs})))')
    return "\n".join(lines) + "\n"


def offer(title: str, experiment: Experiment, e: Explanation | None, sections: Sequence[Section], link: str) -> None:
    """A button that makes a report of what the tests have shown so far; of one map with the map first."""
    if not sections:
        return
    language, say = translator()

    def make() -> str:
        if e is None:
            return report.to_html(title, [*sections, _settings(experiment)], link, language, say)
        what, why, views, facts, code = report.explanation_sections(e, experiment.predictions, experiment.image.name)
        return report.to_html(title, [what, why, *sections, views, facts, code], link, language, say)

    st.subheader(tr("Take it away"))
    st.container(horizontal=True).download_button(
        tr("Report (HTML)"),
        make,
        f"{text.file_name('camviz-evaluate', experiment.model.name, title)}.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with pictures, settings, numbers and how to read them; print it to get a PDF."),
    )


def _settings(experiment: Experiment) -> Section:
    table = [
        ("setting", "value"),
        ("network", f"{experiment.model.name} ({experiment.model.weights})"),
        ("layer", ", ".join(experiment.layers)),
        ("picture fitted by", experiment.fit),
    ]
    return Section("Settings", table=[row for row in table if row[1]])


def show_limitation(metric: Metric) -> None:
    """The sentence of what a number does not tell."""
    st.caption(tr("**What it can't tell.** {cannot}", cannot=tr_message(metric.limitation)))
