"""The grid of heatmaps on Compare: cells, appearance and agreement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ... import figures, render
from ...errors import CamvizError
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...registry import METHODS
from ...stage.look import Look
from ..components import read
from ..results.grid import Grid, Place, setting_label
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from ..widgets import charts, quick_check, stage
from . import agreement
from .downloads import pixels_of

SCALES = {"own": "Own", "shared": "Shared"}
GROUP = "compare"  # the group of all stages of the page
WIDEST, FEWEST = 4, 3  # cells in one line
NARROWEST = 150  # pixels of a cell

_OPENED = "_opened"  # in st.session_state: the settings of the cell that was opened in Explain

_STYLE = read("compare.css")


@dataclass(frozen=True)
class DisplayOptions:
    """How all heatmaps are drawn."""

    look: Look
    shared: bool  # one scale for all maps of a method

    def highs(self, maps: Mapping[Place, Explanation]) -> dict[str, float]:
        """Return the maximum of each method's shared scale; units of different methods cannot be compared."""
        tops: dict[str, float] = {}
        for e in maps.values() if self.shared else ():
            tops[e.method] = max(tops.get(e.method, 0.0), render.peak(e.attribution, e.view.shape[:2]))
        return tops

    def images(self, maps: Mapping[Place, Explanation]) -> dict[Place, Any]:
        """Return the overlay of each cell, uint8 (H, W, 3)."""
        tops = self.highs(maps)
        return {place: self._image_of(e, tops.get(e.method)) for place, e in maps.items()}

    def _image_of(self, e: Explanation, high: float | None) -> Any:
        pixels = pixels_of(e.question)
        heatmap = render.heatmap(e.attribution, pixels.shape[:2], high=high)
        return render.overlay(pixels, heatmap, self.look.strength, self.look.colors)


def display_options() -> DisplayOptions:
    """Return how the heatmaps are drawn, from the settings."""
    return DisplayOptions(stage.look(), settings.setting("scale", "own", SCALES) == "shared")


def look_controls(place: Any, options: DisplayOptions, maps: Mapping[Place, Explanation]) -> None:
    """Draw the tools of all cells, with the agreement of the finished heatmaps."""
    relations = {
        _name(*cell): {_name(*other): f"r {value:.2f}" for other, value in found.items()}
        for cell, found in agreement.correlations(maps).items()
    }
    with place.container(horizontal=True, vertical_alignment="bottom", key="compare_tools_line"):
        with st.container(width="stretch", key="compare_tools"):
            stage.tools("look", options.look, stage.keep, GROUP, relations)
        st.segmented_control(
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


def _open_in_explain(link: dict[str, str]) -> None:
    st.session_state[_OPENED] = link


def follow_opened_cell() -> None:
    """Switch to Explain with the settings of a cell, if the visitor has opened one there."""
    if (opened := st.session_state.pop(_OPENED, None)) is None:
        return
    link = {**opened, **({"several": "0"} if "layer" in opened else {})}
    if "method" in link:  # the grid shows the methods of an axis with their default settings
        for knob in METHODS[link["method"]].knobs:
            st.session_state.pop(f"{link['method']}.{knob}", None)
    settings.follow("link", link)
    st.switch_page("pages/explain.py")


class GridView:
    """The cells of a grid on the page, a stage and a caption each. All stages share pointer, zoom and look.

    A single row begins with the image, if all cells show the same part of it.
    """

    def __init__(self, grid: Grid, options: DisplayOptions) -> None:
        self.grid, self.options = grid, options
        self.stages: dict[Place, Any] = {}
        self.captions: dict[Place, Any] = {}
        self.tops = options.highs(grid.known)  # of the shared scales, by method
        self.drawn: dict[Place, float | None] = {}  # the maximum of the scale on which a cell was drawn
        self.image = agreement.common_view(grid.questions) if len(grid.rows) == 1 else None
        answers = {(question.model.key, question.image.digest, question.label) for question in grid.questions}
        self.answer = st.empty() if len(answers) == 1 else None  # if all cells explain the same
        st.html(f"<style>{_STYLE}{self._ratio()}</style>")
        if not grid.places:
            st.info(tr("Nothing to compare yet: choose at least one row and one column above."))
        every = range(len(grid.columns))
        for columns in [every] if len(grid.rows) == 1 else [every[at : at + WIDEST] for at in every[::WIDEST]]:
            for row in range(len(grid.rows)):
                self._line(row, columns)

    def draw(self, row: int, column: int, result: Explanation | CamvizError) -> None:
        """Draw the heatmap of one cell, on its own scale or on the shared scale known so far."""
        place = row, column
        if isinstance(result, CamvizError):
            self.stages[place].error(error_text(result))
            return
        for method, top in self.options.highs({place: result}).items():
            self.tops[method] = max(top, self.tops.get(method, 0.0))
        self._stage(place, result)
        self.caption(place, result)

    def share_scale(self, maps: Mapping[Place, Explanation]) -> None:
        """Draw the finished cells again whose shared scale has grown."""
        for place, e in maps.items():
            if self.drawn[place] != self.tops.get(e.method):
                self._stage(place, e, again=True)

    def caption(self, place: Place, e: Explanation) -> None:
        """Write the explained class of a cell, and its metrics if they are known."""
        answer = f"{escaped(tr_message(e.label))} {tr_message(e.shown)}"
        numbers = quick_check.line(self.grid.at(*place))
        if self.answer is not None:
            self.answer.caption(tr("Explained: {answer}", answer=answer))
        lines = [answer] if self.answer is None else []
        self.captions[place].caption("  \n".join([*lines, *([numbers] if numbers else [])]))

    def _line(self, row: int, columns: range) -> None:
        """Draw the label of a row, and its empty cells with the labels of their columns."""
        if self.grid.rows[row]:
            st.markdown(f"**{escaped(setting_label(self.grid.rows[row]))}**")
        count = len(self.grid.columns) + (self.image is not None)
        line = st.grid(min(WIDEST, max(FEWEST, count)), min_column_width=NARROWEST)
        if self.image is not None:
            with line.cell():
                with st.container(key="column_label_image"):
                    st.markdown(tr("Image"))
                with st.container(key="stage_cell.image"):
                    self._plain_image(self.image)
        for column in columns:
            with line.cell():
                # On wide screens the labels of the columns stand above the first row only.
                with st.container(key=f"column_label_{'again' if row else 'first'}_{row}_{column}"):
                    st.markdown(escaped(setting_label(self.grid.columns[column])))
                with st.container(key=f"stage_slot_{row}_{column}"):
                    self.stages[row, column] = st.empty()
                self.stages[row, column].html(f'<div class="camviz-waiting">{tr("Not computed yet")}</div>')
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    self._link(row, column)
                    self.captions[row, column] = st.empty()

    def _link(self, row: int, column: int) -> None:
        st.button(
            tr("Open in Explain"),
            key=f"open.{row}.{column}",
            type="tertiary",
            disabled=isinstance(self.grid.cells[row][column], CamvizError),
            on_click=_open_in_explain,
            args=(self.grid.links[row][column],),
        )

    def _ratio(self) -> str:
        """Return the style that reserves the height of a cell before the browser has drawn it."""
        height, width = self.grid.questions[0].model.input_size if self.grid.questions else (1, 1)
        return f".stMain {{ --cell-ratio: {width} / {height}; }}"

    def _plain_image(self, question: Question) -> None:
        image = stage.original(question.model, question.image, question.fit)
        stage.stage("cell.image", image, question.model.input_size, None, self.options.look, tr("Image"), group=GROUP)

    def _stage(self, place: Place, e: Explanation, again: bool = False) -> None:
        high = self.drawn[place] = self.tops.get(e.method)
        question, name = e.question, self.grid.name(*place)
        alt = tr("{map}: heatmap of {label} over the image", map=name, label=tr_message(e.label))
        key = f"cell.{place[0]}.{place[1]}" + (".again" if again else "")
        image = stage.original(question.model, question.image, question.fit)
        shown, size = stage.map_of(e, high), (e.view.shape[0], e.view.shape[1])
        with self.stages[place].container(key=f"stage_{key}"):
            stage.stage(key, image, size, shown, self.options.look, alt, group=GROUP, name=_name(*place))


def show_agreement(grid: Grid, maps: Mapping[Place, Explanation]) -> None:
    """Explain how to read the agreement of the heatmaps, and show a matrix for each image and layer on request."""
    found = agreement.groups(maps)
    if not found:
        return
    wanted = settings.switch("agreement")
    st.toggle(
        tr("Agreement matrix"),
        key="agreement",
        persist_state="session",
        help=tr("Shows the rank correlation of each pair of heatmaps of one image and one layer."),
    )
    st.caption(
        tr(
            "Point at a heatmap: the others of the same image and layer show their rank correlation r with it. "
            "1 = same order of pixels, 0 = unrelated, -1 = opposite order. Heatmaps can agree and still be wrong."
        )
    )
    for number, (places, matrix) in enumerate(found if wanted else []):
        if len(found) > 1:
            question = grid.at(*places[0])
            layers = {", ".join(grid.at(*place).layers) for place in places} - {""}
            st.markdown(escaped(", ".join([question.image.name, *sorted(layers)])))
        table = figures.correlation_matrix(matrix, [grid.name(*place) for place in places])
        charts.matrix(f"agreement.{number}", table, tr("Rank correlation of each pair of heatmaps"))


def _name(row: int, column: int) -> str:
    return f"{row}.{column}"
