"""The sheet of maps on Compare: its cells, how they look, how far they agree, and what can be taken away."""

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
from ..results.grid import Grid, Place
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message, tr_parts, translator
from ..session.markdown import escaped
from ..widgets import charts, colors, quick_check
from . import presentation

SCALES = {"own": "own", "shared": "shared"}
DrawAll = Callable[[], Mapping[Place, Any]]  # the finished maps as they are drawn


@dataclass(frozen=True)
class Look:
    """How every map is drawn."""

    colors: str
    opacity: float
    shared: bool  # one scale for all maps of a method

    def highs(self, maps: Mapping[Place, Explanation]) -> dict[str, float]:
        """The top of each method's scale, where it is shared (the units of different methods do not compare)."""
        tops: dict[str, float] = {}
        for e in maps.values() if self.shared else ():
            tops[e.method] = max(tops.get(e.method, 0.0), render.peak(e.attribution, e.view.shape[:2]))
        return tops

    def picture(self, e: Explanation, high: float | None = None) -> Any:
        """The overlay of a cell, uint8 (H, W, 3)."""
        heat = e.heatmap if high is None else render.heatmap(e.attribution, e.view.shape[:2], high=high)
        return render.overlay(e.view, heat, self.opacity, self.colors)


def look() -> Look:
    """How the maps are to be drawn, as the link and the session say."""
    opacity = settings.setting("opacity", 0.5, settings.Span(0, 1), float)
    return Look(colors.color_map(), opacity, settings.setting("scale", "own", SCALES) == "shared")


def look_controls() -> None:
    """The widgets of `look`."""
    row = st.container(horizontal=True)
    row.segmented_control(
        tr("Scale"),
        SCALES,
        format_func=lambda key: tr(SCALES[key]),
        key="scale",
        required=True,
        persist_state="session",
        help=tr(
            "Own: every map uses all colors. Shared: one scale for all maps of a method; different methods' units "
            "do not compare."
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
        help=tr("0: the picture alone; 1: the map alone."),
    )


class Sheet:
    """The places of a grid on the page, and drawing into them."""

    def __init__(self, grid: Grid, look: Look) -> None:
        self.grid, self.look, self.boxes = grid, look, {}
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
                st.error(f"{escaped(name)}: {escaped(tr_message(str(result)))}")
                return
            label = tr_message(result.label)
            alt = tr("{map}: map of {label} over the picture", map=name, label=label)
            jpeg = result_store().once(
                ("compare cell", self.look, high, result.question.key),
                lambda: encode.jpeg(self.look.picture(result, high)),
            )
            st.image(jpeg, alt=alt, width="stretch")
            st.caption(f"**{escaped(name)}**  \n{escaped(label)} {tr_message(text.percent(result.probability))}")
            if numbers := quick_check.line(self.grid.at(row, column)):
                st.caption(numbers)


def agreement(grid: Grid, maps: Mapping[Place, Explanation]) -> None:
    """How far each two maps agree."""
    st.header(tr("How far the maps agree"))
    names = [grid.name(*place) for place in maps]
    matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
    st.plotly_chart(
        tr_parts(figures.correlation_heatmap(matrix, names, charts.ink())),
        alt=tr("Rank correlation of each two maps, as numbers"),
    )
    st.caption(
        tr("Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth.")
    )


def take_away(grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll, name: str) -> None:
    """The downloads; `draw` gives the maps as they are drawn when one is clicked, `name` is the sidebar's picture's."""
    st.header(tr("Take it away"))
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("The grid (PNG)"),
        partial(_sheet, grid, draw, name),
        "camviz-grid.png",
        "image/png",
        on_click="ignore",
    )
    buttons.download_button(
        tr("All maps (ZIP)"),
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
        help=tr("One file with pictures, settings, numbers and how to read them; print it to get a PDF."),
    )


def _report(
    grid: Grid,
    maps: Mapping[Place, Explanation],
    draw: DrawAll,
    link: str,
    language: str,
    say: report.Translator,
) -> str:
    """The finished cells as an HTML report, with how far they agree."""
    pictures = draw()
    names = {
        (row, column): f"{number}. {say(grid.rows[row])} · {say(grid.columns[column])}"
        for number, (row, column) in enumerate(maps, 1)
    }
    agreement: list[list[str]] = []
    if len(maps) > 1:
        matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
        agreement = [["map", *(str(number) for number in range(1, len(maps) + 1))]]
        agreement += [
            [name, *(f"{value:.2f}" for value in row)] for name, row in zip(names.values(), matrix, strict=True)
        ]
    sections = report.comparison_sections(
        {names[place]: e for place, e in maps.items()},
        {names[place]: pictures[place] for place in maps},
        {names[place]: grid.at(*place).image.name for place in maps},
        agreement,
    )
    return report.to_html("Do these maps agree?", sections, link, language, say)


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
    """Every finished cell as PNG and NPZ with the settings of all, as a ZIP."""
    pictures = draw()
    files: dict[str, bytes] = {}
    settings = []
    for (row, column), e in maps.items():
        name = text.file_name(f"{row + 1}-{column + 1}", grid.rows[row], grid.columns[column])
        files[f"{name}.png"] = encode.png(pictures[row, column])
        files[f"{name}.npz"] = export.npz(e)
        settings.append({"file": name, **recipe.settings(e)})
    return export.grid_zip(files, settings)
