"""The grid of heatmaps on Compare: cells, appearance, agreement and downloads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import streamlit as st

from ... import encode, export, figures, render, report, text
from ...errors import CamvizError
from ...evaluation.rank_correlation import pairwise_rank_correlation
from ...explanation import recipe
from ...explanation.explanation import Explanation
from ...messages import Message
from ..results.grid import Grid, Place
from ..session import settings
from ..session.language import tr, tr_message, translator
from ..session.markdown import escaped
from ..widgets import charts, colors, quick_check, stage

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

    def pictures(self, maps: Mapping[Place, Explanation]) -> dict[Place, Any]:
        """Return the overlay of each cell, uint8 (H, W, 3)."""
        tops = self.highs(maps)
        return {place: self._picture(e, tops.get(e.method)) for place, e in maps.items()}

    def _picture(self, e: Explanation, high: float | None) -> Any:
        question = e.question
        pixels = np.asarray(question.model.original_view(question.image, question.fit))
        return render.overlay(
            pixels, render.heatmap(e.attribution, pixels.shape[:2], high=high), self.opacity, self.colors
        )


def display_options() -> DisplayOptions:
    """Return how the heatmaps are drawn, from the settings."""
    opacity = settings.setting("opacity", 0.8, settings.Span(0, 1), float)
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
    row.slider(
        tr("Opacity"),
        0.0,
        1.0,
        key="opacity",
        persist_state="session",
        help=tr("0: image only; 1: heatmap only."),
    )


class GridView:
    """The cells of a grid on the page: a stage with its caption each; pointer and zoom are shared by all stages."""

    def __init__(self, grid: Grid, options: DisplayOptions) -> None:
        self.grid, self.options = grid, options
        self.stages: dict[Place, Any] = {}
        self.captions: dict[Place, Any] = {}
        if not grid.places:
            st.info(tr("Nothing to compare yet: choose at least one row and one column above."))
        for row in range(len(grid.rows)):
            for column, box in enumerate(st.columns(len(grid.columns)) if grid.columns else ()):
                self.stages[row, column], self.captions[row, column] = box.empty(), box.empty()
                name = escaped(grid.name(row, column))
                self.captions[row, column].caption(tr("{map}: not computed yet", map=name))

    def draw(self, row: int, column: int, result: Explanation | CamvizError) -> None:
        """Fill one cell, on its own scale."""
        if isinstance(result, CamvizError):
            name = escaped(self.grid.name(row, column))
            self.captions[row, column].error(f"{name}: {escaped(tr_message(result.message))}")
        else:
            self._stage((row, column), result)
            self.caption((row, column), result)

    def share_scale(self, maps: Mapping[Place, Explanation]) -> None:
        """Draw the finished cells again if they share one scale, now that its end is known."""
        tops = self.options.highs(maps)
        for place, e in maps.items():
            if e.method in tops:
                self._stage(place, e, tops[e.method])

    def caption(self, place: Place, e: Explanation) -> None:
        """Write what a cell shows, with its metrics if they are known."""
        lines = [f"**{escaped(self.grid.name(*place))}**"]
        lines.append(f"{escaped(tr_message(e.label))} {tr_message(e.shown)}")
        if numbers := quick_check.line(self.grid.at(*place)):
            lines.append(numbers)
        self.captions[place].caption("  \n".join(lines))

    def _stage(self, place: Place, e: Explanation, high: float | None = None) -> None:
        question, name = e.question, self.grid.name(*place)
        alt = tr("{map}: heatmap of {label} over the image", map=name, label=tr_message(e.label))
        key = f"cell.{place[0]}.{place[1]}" + ("" if high is None else ".shared")
        image = stage.original(question.model, question.image, question.fit)
        look = stage.Look(strength=self.options.opacity, colors=self.options.colors)
        size = e.view.shape[0], e.view.shape[1]
        with self.stages[place].container():
            stage.stage(key, image, size, stage.StageMap.of(e, high), look, alt, group="compare")


def agreement(grid: Grid, maps: Mapping[Place, Explanation]) -> None:
    """Show the rank correlation of each pair of heatmaps."""
    st.header(tr("Agreement"))
    names = [grid.name(*place) for place in maps]
    matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
    table = figures.correlation_matrix(matrix, names)
    charts.matrix("agreement", table, tr("Rank correlation of each pair of heatmaps"))
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
    images = draw()
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
        {names[place]: images[place] for place in maps},
        {names[place]: grid.at(*place).image.name for place in maps},
        agreement,
    )
    return report.to_html(Message("Comparison of heatmaps"), sections, link, language, say)


def _sheet(grid: Grid, draw: DrawAll, title: str) -> bytes:
    """Return the grid as a PNG file with its labels."""
    images = draw()
    places = product(range(len(grid.rows)), range(len(grid.columns)))
    tiles = [images.get(place, "not computed") for place in places]
    sheet = encode.contact_sheet(
        tiles, len(grid.columns), title=title, row_labels=grid.rows, column_labels=grid.columns
    )
    return encode.png(sheet)


def _archive(grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll) -> bytes:
    """Return every finished cell as PNG and NPZ, with all settings, as a ZIP."""
    images = draw()
    files: dict[str, bytes] = {}
    settings = []
    for (row, column), e in maps.items():
        name = text.file_name(f"{row + 1}-{column + 1}", grid.rows[row], grid.columns[column])
        files[f"{name}.png"] = encode.png(images[row, column])
        files[f"{name}.npz"] = export.npz(e)
        settings.append({"file": name, **recipe.settings(e)})
    return export.grid_zip(files, settings)
