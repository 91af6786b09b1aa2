"""The grid of heatmaps on Compare: cells, appearance, agreement and downloads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import streamlit as st

from ... import encode, export, figures, render, report, text
from ...errors import CamvizError
from ...evaluation.rank_correlation import pairwise_rank_correlation
from ...explanation import recipe
from ...explanation.explanation import Explanation
from ...messages import Message
from ..results.grid import Grid, Place
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message, translator
from ..session.markdown import escaped
from ..widgets import charts, colors, quick_check
from . import presentation

SCALES = {"own": "own", "shared": "shared"}
DrawAll = Callable[[], Mapping[Place, Any]]  # the finished maps as they are drawn


@dataclass(frozen=True)
class DisplayOptions:
    """How all heatmaps are drawn."""

    colors: str
    opacity: float
    shared: bool  # one scale for all maps of a method

    def highs(self, maps: Mapping[Place, Explanation]) -> dict[str, float]:
        """Return the maximum of each method's shared scale; units of different methods cannot be compared."""
        tops: dict[str, float] = {}
        for e in maps.values() if self.shared else ():
            tops[e.method] = max(tops.get(e.method, 0.0), render.peak(e.attribution, e.view.shape[:2]))
        return tops

    def picture(self, e: Explanation, high: float | None = None) -> Any:
        """Return the overlay of a cell, uint8 (H, W, 3)."""
        heat = e.heatmap if high is None else render.heatmap(e.attribution, e.view.shape[:2], high=high)
        return render.overlay(e.view, heat, self.opacity, self.colors)


def display_options() -> DisplayOptions:
    """Return how the heatmaps are drawn, from the settings."""
    opacity = settings.setting("opacity", 0.5, settings.Span(0, 1), float)
    return DisplayOptions(colors.color_map(), opacity, settings.setting("scale", "own", SCALES) == "shared")


def look_controls() -> None:
    """Draw the widgets of `display_options`."""
    row = st.container(horizontal=True)
    row.segmented_control(
        tr("Color scale"),
        SCALES,
        format_func=lambda key: tr(SCALES[key]),
        key="scale",
        required=True,
        persist_state="session",
        help=tr(
            "Own: each heatmap from 0 to its own maximum. Shared: one scale per method, so that strengths can "
            "be compared."
        ),
    )
    colors.pick_colors(row)
    presentation.switch()
    row.slider(
        tr("Opacity"),
        0.0,
        1.0,
        key="opacity",
        persist_state="session",
        help=tr("0: image only; 1: heatmap only."),
    )


class GridView:
    """The cells of a grid on the page."""

    def __init__(self, grid: Grid, options: DisplayOptions) -> None:
        self.grid, self.options, self.boxes = grid, options, {}
        if not grid.places:
            st.info(tr("Nothing to compare yet: choose at least one row and one column above."))
        for row in range(len(grid.rows)):
            for column, box in enumerate(st.columns(len(grid.columns)) if grid.columns else ()):
                self.boxes[row, column] = box.empty()
                name = escaped(grid.name(row, column))
                self.boxes[row, column].caption(tr("{map}: not computed yet", map=name))

    def draw(self, row: int, column: int, result: Explanation | CamvizError, high: float | None = None) -> None:
        """Fill one cell."""
        name = self.grid.name(row, column)
        with self.boxes[row, column].container():
            if isinstance(result, CamvizError):
                st.error(f"{escaped(name)}: {escaped(tr_message(result.message))}")
                return
            label = tr_message(result.label)
            alt = tr("{map}: heatmap of {label} over the image", map=name, label=label)
            jpeg = result_store().once(
                ("compare cell", self.options, high, result.question.key),
                lambda: encode.jpeg(self.options.picture(result, high)),
            )
            st.image(jpeg, alt=alt, width="stretch")
            st.caption(f"**{escaped(name)}**  \n{escaped(label)} {tr_message(result.shown)}")
            if numbers := quick_check.line(self.grid.at(row, column)):
                st.caption(numbers)


def agreement(grid: Grid, maps: Mapping[Place, Explanation]) -> None:
    """Show the rank correlation of each pair of heatmaps."""
    st.header(tr("Agreement"))
    names = [grid.name(*place) for place in maps]
    matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
    st.plotly_chart(
        figures.correlation_heatmap(matrix, names, charts.ink()),
        alt=tr("Rank correlation of each pair of heatmaps"),
    )
    st.caption(
        tr(
            "Rank correlation: 1 = same order of pixels, 0 = unrelated, -1 = opposite order. Heatmaps can agree "
            "and still be wrong."
        )
    )


def show_downloads(grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll, name: str) -> None:
    """Draw the downloads of `maps`; `draw` returns them as images, `name` is the name of the sidebar's image."""
    st.header(tr("Download"))
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("Grid (PNG)"),
        partial(_sheet, grid, draw, name),
        "camviz-grid.png",
        "image/png",
        on_click="ignore",
    )
    buttons.download_button(
        tr("All heatmaps (ZIP)"),
        partial(_archive, grid, maps, draw),
        "camviz-grid.zip",
        "application/zip",
        on_click="ignore",
    )
    buttons.download_button(
        tr("Report (HTML)"),
        partial(_report, grid, maps, draw, settings.link(), *translator()),
        "camviz-grid.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )


def _report(
    grid: Grid,
    maps: Mapping[Place, Explanation],
    draw: DrawAll,
    link: str,
    language: str,
    say: report.Translator,
) -> str:
    """Return the finished cells and their agreement as an HTML report."""
    pictures = draw()
    names = {
        (row, column): f"{number}. {say(grid.rows[row])} · {say(grid.columns[column])}"
        for number, (row, column) in enumerate(maps, 1)
    }
    agreement: list[list[str]] = []
    if len(maps) > 1:
        matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
        agreement = [[Message("map"), *(str(number) for number in range(1, len(maps) + 1))]]
        agreement += [
            [name, *(f"{value:.2f}" for value in row)] for name, row in zip(names.values(), matrix, strict=True)
        ]
    sections = report.comparison_sections(
        {names[place]: e for place, e in maps.items()},
        {names[place]: pictures[place] for place in maps},
        {names[place]: grid.at(*place).image.name for place in maps},
        agreement,
    )
    return report.to_html(Message("Comparison of heatmaps"), sections, link, language, say)


def _sheet(grid: Grid, draw: DrawAll, title: str) -> bytes:
    """Return the grid as a PNG file with its labels."""
    pictures = draw()
    places = product(range(len(grid.rows)), range(len(grid.columns)))
    tiles = [pictures.get(place, "not computed") for place in places]
    sheet = encode.contact_sheet(
        tiles, len(grid.columns), title=title, row_labels=grid.rows, column_labels=grid.columns
    )
    return encode.png(sheet)


def _archive(grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll) -> bytes:
    """Return every finished cell as PNG and NPZ, with all settings, as a ZIP."""
    pictures = draw()
    files: dict[str, bytes] = {}
    settings = []
    for (row, column), e in maps.items():
        name = text.file_name(f"{row + 1}-{column + 1}", grid.rows[row], grid.columns[column])
        files[f"{name}.png"] = encode.png(pictures[row, column])
        files[f"{name}.npz"] = export.npz(e)
        settings.append({"file": name, **recipe.settings(e)})
    return export.grid_zip(files, settings)
