"""Computing the cells of a grid one by one, with progress and Cancel."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.explanation import Explanation
from ...registry import METHODS, Method
from ...text import duration_text
from ..inputs.experiment import Experiment
from ..server import store, tasks
from ..session.language import tr, tr_message
from . import explanations

ONE_PASS = 0.3  # seconds that a method of few passes is taken to need: it is computed without being asked


@dataclass(frozen=True)
class Cell:
    """One place in the grid: what is to be explained there, and how."""

    experiment: Experiment
    method: Method
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies its result."""
        return explanations.key_of(self.experiment, self.method, self.knobs)


@dataclass(frozen=True)
class Grid:
    """Cells by row and column with their labels; an error in place of a cell that cannot be."""

    rows: list[str]
    columns: list[str]
    cells: list[list[Cell | CamvizError]]

    @property
    def places(self) -> list[tuple[int, int]]:
        """All (row, column), row by row."""
        return [(row, column) for row in range(len(self.rows)) for column in range(len(self.columns))]

    @property
    def signature(self) -> str:
        """What identifies the whole grid."""
        return repr([[cell.key if isinstance(cell, Cell) else str(cell) for cell in row] for row in self.cells])

    def at(self, row: int, column: int) -> Cell:
        """The cell of a place that has a map. Raises its error where there is none."""
        cell = self.cells[row][column]
        if isinstance(cell, CamvizError):
            raise cell
        return cell

    def name(self, row: int, column: int) -> str:
        """A label of one cell, in the person's language."""
        return f"{setting_label(self.rows[row])} · {setting_label(self.columns[column])}"


def setting_label(text: str) -> str:
    """A label of an axis as the page shows it: only methods have names in each language."""
    return tr_message(text) if text in {method.title for method in METHODS.values()} else text


def run(grid: Grid, draw: Callable[[int, int, Explanation | CamvizError], None]) -> dict[tuple[int, int], Any]:
    """Compute what is missing, cell by cell, with progress and Cancel; what is finished stays, whatever happens."""
    done: dict[tuple[int, int], Explanation | CamvizError] = {}

    def finish(place: tuple[int, int], result: Explanation | CamvizError) -> None:
        done[place] = result
        draw(*place, result)

    missing: list[tuple[tuple[int, int], Cell]] = []
    for place in grid.places:
        cell = grid.cells[place[0]][place[1]]
        if isinstance(cell, CamvizError):
            finish(place, cell)
        elif (known := store.result_store().get(cell.key)) is not None:
            finish(place, known)
        else:
            missing.append((place, cell))
    if missing:
        _compute(missing, grid.signature, finish)
    return done


def _compute(missing: Sequence[tuple[tuple[int, int], Cell]], signature: str, finish: Callable[..., None]) -> None:
    panel = st.container()
    seconds = {place: _seconds(cell) for place, cell in missing}
    stopped = st.session_state.get("stopped") == signature
    held = {place for place in seconds if stopped or seconds[place] > tasks.PATIENCE}
    if held:
        what = tr("Continue with the missing heatmaps: {count}", count=len(held))
        if not stopped:
            what = tr("Compute the slow heatmaps: {count}", count=len(held))
        after = sum(seconds[place] for place in held)
        place_of_button = panel.empty()
        asked = tr("{what} (about {time})", what=what, time=duration_text(after))
        if place_of_button.button(asked, key="go_on", type="primary"):
            held = set()
            place_of_button.empty()
    missing = [(place, cell) for place, cell in missing if place not in held]
    if not missing:
        return
    st.session_state["stopped"] = None
    control = panel.empty()
    control.button(
        tr("Cancel"),
        key="cancel",
        shortcut="Esc",
        on_click=_stop,
        args=(signature,),
        help=tr("Keeps the finished heatmaps."),
    )
    bar = panel.progress(0.0, tr("Heatmaps left: {count}", count=len(missing)))
    total = sum(seconds[place] for place, _ in missing)
    started = time.monotonic()
    for count, (place, cell) in enumerate(missing):
        passed = sum(seconds[before] for before, _ in missing[:count])

        def report(part: float, _: str, place: Any = place, count: int = count, passed: float = passed) -> None:
            share = min(1.0, (passed + part * seconds[place]) / total)
            left = (time.monotonic() - started) * (1 - share) / share if share > 0.02 else total
            told = tr("{done} of {total} heatmaps, {left}", done=count, total=len(missing), left=tasks.time_left(left))
            bar.progress(share, told)

        report(0.0, "")
        try:
            finish(place, explanations.compute(cell.experiment, cell.method, cell.knobs, report))
        except CamvizError as error:
            finish(place, error)
    bar.empty()
    control.empty()


def _seconds(cell: Cell) -> float:
    try:
        return explanations.expected(cell.experiment, cell.method, cell.knobs) or ONE_PASS
    except CamvizError:
        return 0.01  # the cell will say so itself


def _stop(signature: str) -> None:
    st.session_state["stopped"] = signature
