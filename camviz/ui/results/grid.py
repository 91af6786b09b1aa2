"""A grid of questions, computed cell by cell, with progress and Cancel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import CamvizError
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...registry import METHODS
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session.language import tr, tr_message
from . import cost, explanations

Place = tuple[int, int]  # row, column
Draw = Callable[[int, int, Explanation | CamvizError], None]


@dataclass(frozen=True)
class Grid:
    """Questions by row and column with their labels; an error in place of one that cannot be asked."""

    rows: list[str]
    columns: list[str]
    cells: list[list[Question | CamvizError]]

    @property
    def places(self) -> list[Place]:
        """All (row, column), row by row."""
        return [(row, column) for row in range(len(self.rows)) for column in range(len(self.columns))]

    def at(self, row: int, column: int) -> Question:
        """Return the question of a place; raise its error if it has none."""
        cell = self.cells[row][column]
        if isinstance(cell, CamvizError):
            raise cell
        return cell

    def name(self, row: int, column: int) -> str:
        """Return the label of one cell, in the visitor's language."""
        return f"{setting_label(self.rows[row])} · {setting_label(self.columns[column])}"


def setting_label(text: str) -> str:
    """Return a label of an axis as the page shows it: only methods have names in each language."""
    return tr_message(text) if text in {method.title for method in METHODS.values()} else text


def run(grid: Grid, draw: Draw) -> dict[Place, Explanation | CamvizError]:
    """Compute what is missing, cell by cell: the quick ones at once, the slow ones after a click."""
    done: dict[Place, Explanation | CamvizError] = {}

    def finish(place: Place, result: Explanation | CamvizError) -> None:
        done[place] = result
        draw(*place, result)

    quick: list[Place] = []
    slow: list[Place] = []
    for place in grid.places:
        cell = grid.cells[place[0]][place[1]]
        found = cell if isinstance(cell, CamvizError) else explanations.known(cell)
        if found is not None:
            finish(place, found)
        elif not grid.at(*place).method.many_passes or _seconds(grid.at(*place)) <= tasks.PATIENCE:
            quick.append(place)
        else:
            slow.append(place)
    _compute(
        "grid.quick", tr("Continue with the missing heatmaps: {count}", count=len(quick)), grid, quick, finish, "never"
    )
    if not any(place not in done for place in quick):
        _compute("grid", tr("Compute the slow heatmaps: {count}", count=len(slow)), grid, slow, finish, "always")
    return done


def _compute(name: str, what: str, grid: Grid, places: Sequence[Place], finish: Callable[..., None], ask: Any) -> None:
    if not places:
        return
    questions = [grid.at(*place) for place in places]
    seconds = [_seconds(question) for question in questions]

    def work(report: ReportProgress) -> bool:
        told = tasks.parts_of(
            report, seconds, lambda done: tr("{done} of {total} heatmaps", done=done, total=len(questions))
        )
        for place, question, part in zip(places, questions, told, strict=True):
            try:
                finish(place, explanations.compute(question, part))
            except CamvizError as error:
                finish(place, error)
        return True

    key = ("grid", *(question.key for question in questions))
    tasks.run(name, key, sum(seconds), what, work, ask=ask, keep=False, keeps=tr("Keeps the finished heatmaps."))


def _seconds(question: Question) -> float:
    try:
        return cost.explanation_seconds(question)
    except CamvizError:
        return 0.01  # the cell will say so itself
