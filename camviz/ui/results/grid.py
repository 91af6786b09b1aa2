"""A grid of questions, computed cell by cell, with progress and Cancel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import CamvizError
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...models.class_names import ImageNetName
from ...registry import METHODS
from ..server import tasks
from ..server.queue import ReportProgress
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
    """Return a label of an axis as the page shows it: only methods and classes have names in each language."""
    named = isinstance(text, ImageNetName) or text in {method.title for method in METHODS.values()}
    return tr_message(text) if named else text


def run(grid: Grid, draw: Draw) -> dict[Place, Explanation | CamvizError]:
    """Compute what is missing, cell by cell: the quick ones at once, the slow ones after a click."""
    done: dict[Place, Explanation | CamvizError] = {}

    def finish(place: Place, result: Explanation | CamvizError) -> None:
        done[place] = result
        draw(*place, result)

    quick: dict[Place, float] = {}  # the expected seconds of each
    slow: dict[Place, float] = {}
    for place in grid.places:
        cell = grid.cells[place[0]][place[1]]
        if isinstance(cell, CamvizError):
            finish(place, cell)
        elif (found := explanations.known(cell)) is not None:
            finish(place, found)
        else:
            seconds = cost.explanation_seconds(cell)
            few = not cell.method.many_passes or seconds <= tasks.PATIENCE
            (quick if few else slow)[place] = seconds
    for name, what, cells, ask in (
        ("grid.quick", tr("Continue with the missing heatmaps: {count}", count=len(quick)), quick, "never"),
        ("grid", tr("Compute the slow heatmaps: {count}", count=len(slow)), slow, "always"),
    ):
        _compute(name, what, grid, cells, finish, ask)
        if any(place not in done for place in cells):
            break
    return done


def _compute(
    name: str, what: str, grid: Grid, seconds: Mapping[Place, float], finish: Callable[..., None], ask: Any
) -> None:
    if not seconds:
        return
    questions = {place: grid.at(*place) for place in seconds}

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report, list(seconds.values()), lambda done: tr("{done} of {total} heatmaps", done=done, total=len(seconds))
        )
        for (place, question), part in zip(questions.items(), parts, strict=True):
            try:
                finish(place, explanations.compute(question, part))
            except CamvizError as error:
                finish(place, error)
        return True

    key = ("grid", *(question.key for question in questions.values()))
    keeps = tr("Keeps the finished heatmaps.")
    tasks.run(name, key, sum(seconds.values()), what, work, ask=ask, keep=False, keeps=keeps)
