"""Parts of the page Evaluate: heatmap tiles, charts, metric limitations, the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from ... import encode, render, report, text
from ...evaluation.metrics.randomization import RandomizationResult
from ...evaluation.perturbation_curve import Curve
from ...evaluation.registry import Metric
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...messages import Message, join
from ...report import Chart, ReportImage, Section
from ...stage.stage_map import Cells, StageMap
from ..inputs.experiment import Experiment
from ..session.language import tr, tr_message, translator
from ..session.markdown import escaped
from . import charts, stage

DrawMap = Callable[[NDArray[np.uint8], NDArray[Any]], NDArray[np.uint8]]  # (image, heatmap) to the drawing


@dataclass(frozen=True)
class Tile:
    """A heatmap over the image as a JPEG, its caption line by line, its alt text, and the heatmap itself."""

    jpeg: bytes
    lines: tuple[str, ...]  # plain text
    alt: str
    map: StageMap


def overlay_map(view: NDArray[np.uint8], attribution: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a heatmap over an image (H, W, 3)."""
    return render.overlay(view, render.heatmap(attribution, (view.shape[0], view.shape[1])), 0.6)


def tiles(
    question: Question,
    maps: Sequence[Tensor],
    captions: Sequence[tuple[str, ...]],
    alts: Sequence[str],
    draw_map: DrawMap = overlay_map,
) -> list[Tile]:
    """Return tiles of heatmaps, each with its own scale, over the image or drawn by `draw_map`."""
    values = [one.cpu().float().numpy() for one in maps]
    return [
        Tile(encode.jpeg(draw_map(question.view, one)), lines, alt, StageMap.of(one))
        for one, lines, alt in zip(values, captions, alts, strict=True)
    ]


def randomization_tiles(question: Question, found: RandomizationResult, draw_map: DrawMap = overlay_map) -> list[Tile]:
    """Return the heatmaps of the randomization test, each with its depth and its similarity to the first."""
    depths = [text.percent(depth, 0, exact=True) for depth in found.depths]
    rows = zip(depths, found.layers, found.correlations, found.similarities, strict=True)
    captions = [
        (
            Message("{share} randomized", share=depth),
            Message("down to {layer}", layer=layer),
            f"r = {r:.2f}, SSIM = {alike:.2f}",
        )
        if layer
        else (Message("trained weights"),)
        for depth, layer, r, alike in rows
    ]
    alts = [
        Message("{method} with {share} of the layers randomized", method=question.method.title, share=depth)
        for depth in depths
    ]
    return tiles(question, found.maps, captions, alts, draw_map)


def show(shown: Sequence[Tile], width: int = 150) -> None:
    """Show tiles in a row that wraps."""
    box = st.grid(min_column_width=width)
    for tile in shown:
        with box.container():
            st.image(tile.jpeg, alt=tr_message(tile.alt), width="stretch")
            _caption(tile)


def show_stages(shown: Sequence[Tile], key: str, image: bytes, size: tuple[int, int], cells: Cells | None) -> None:
    """Show maps over one image of `size` (height, width) as small stages in a row that wraps, see `stage`."""
    box, look = st.grid(min_column_width=150), stage.look()
    for number, tile in enumerate(shown):
        with box.container():
            alt, of_cells = tr_message(tile.alt), replace(tile.map, cells=cells)
            stage.stage(f"{key}.{number}", image, size, of_cells, look, alt, group=key, name=str(number))
            _caption(tile)


def show_maps(shown: Sequence[Tile], key: str, question: Question) -> None:
    """Show maps of a question's image as small stages."""
    image = stage.original(question.model, question.image, question.fit)
    cells = stage.cells_of(question.model, question.layers, shown[0].map.values.shape) if shown else None
    show_stages(shown, key, image, (question.view.shape[0], question.view.shape[1]), cells)


def _caption(tile: Tile) -> None:
    first, *others = (escaped(tr_message(line)) for line in tile.lines)
    st.caption("  \n".join([f"**{first}**", *others]))


def chart_of_curves(metric: Metric, found: Mapping[str, Curve], label: str) -> Chart:
    """Return the curves of deletion or insertion of one class, by method, with their areas."""
    areas = [Message("area {area:.3f} for {method}", area=curve.area, method=name) for name, curve in found.items()]
    brought_in = metric.key == "insertion"
    return Chart(
        {
            Message("{name}: {area:.3f}", name=name, area=curve.area): (curve.fractions, curve.values)
            for name, curve in found.items()
        },
        Message("share of the pixels inserted") if brought_in else Message("share of the pixels deleted"),
        Message("probability of {label}", label=label),
        Message("{first}: {second}", first=metric.title, second=join(areas)),
    )


def draw(chart: Chart, key: str) -> None:
    """Show a chart; `key` identifies it on the page."""
    lines = {tr_message(name): points for name, points in chart.lines.items()}
    across, up, alt = tr_message(chart.across), tr_message(chart.up), tr_message(chart.alt)
    charts.line_chart(key, lines, across, up, alt, low=0, high=1)


def translated_table(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return a table's columns by name, with all texts translated."""
    return {
        tr_message(name): [tr_message(cell) if isinstance(cell, str) else cell for cell in cells]
        for name, cells in columns.items()
    }


def as_report_images(shown: Sequence[Tile]) -> list[ReportImage]:
    """Return tiles as images of a report."""
    return [ReportImage(tile.jpeg, tile.alt, join(tile.lines)) for tile in shown]


def metric_sentence(metric: Metric) -> Message:
    """Return a metric's meaning and limitation, for a report."""
    return Message("{metric}: {text} {link}", metric=metric.title, text=limits_of(metric), link=metric.paper)


def limits_of(metric: Metric) -> Message:
    """Return a metric's meaning and limitation."""
    return Message(
        "{question} Limitations: {limitation}",
        question=Message(metric.tooltip),
        limitation=Message(metric.limitation),
    )


def measure_snippet(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the Python code that measures an explanation; `settings` by metric key."""
    lines = []
    for key, given in settings.items():
        knobs = "".join(f", {name}={value!r}" for name, value in given.items())
        lines.append(f'print("{key}", float(camviz.measure(explanation, "{key}"{knobs})))')
    return "\n".join(lines) + "\n"


def offer(title: str, experiment: Experiment, e: Explanation | None, sections: Sequence[Section], link: str) -> None:
    """Draw the download of a report on the tests so far; with a heatmap, it comes first."""
    if not sections:
        return
    language, say = translator()

    def make() -> str:
        if e is None:
            return report.to_html(title, [*sections, _settings(experiment)], link, language, say)
        what, why, views, facts, code = report.explanation_sections(e, experiment.predictions, experiment.image.name)
        return report.to_html(title, [what, why, *sections, views, facts, code], link, language, say)

    st.subheader(tr("Download"))
    st.container(horizontal=True).download_button(
        tr("Report (HTML)"),
        make,
        f"{text.file_name('camviz-evaluate', experiment.model.name, title)}.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )


def _settings(experiment: Experiment) -> Section:
    table = [
        report.HEAD,
        (Message("model"), f"{experiment.model.name} ({experiment.model.weights})"),
        (Message("layer"), ", ".join(experiment.layers)),
        (Message("image fit"), Message(experiment.fit)),
    ]
    return Section(Message("Settings"), table=[row for row in table if row[1]])


def show_limitation(metric: Metric) -> None:
    """Show a metric's limitation."""
    st.caption(tr("**Limitations.** {limitation}", limitation=tr_message(metric.limitation)))
