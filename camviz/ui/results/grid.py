"""A grid of questions, computed cell by cell, with progress and Cancel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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
    """Questions by row and column with their labels; an error in place of one that cannot be asked.

    The label of a single row may be empty. `links` are the settings by which another page shows a cell.
    """

    rows: list[str]
    columns: list[str]
    cells: list[list[Question | CamvizError]]
    links: list[list[dict[str, str]]] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        """Return all (row, column), row by row."""
        return [(row, column) for row in range(len(self.rows)) for column in range(len(self.columns))]

    def at(self, row: int, column: int) -> Question:
        """Return the question of a place; raise its error if it has none."""
        cell = self.cells[row][column]
        if isinstance(cell, CamvizError):
            raise cell
        return cell

    def name(self, row: int, column: int) -> str:
        """Return the label of one cell, in the visitor's language."""
        return joined(setting_label(self.rows[row]), setting_label(self.columns[column]))

    @property
    def questions(self) -> list[Question]:
        """Return all cells that can be asked, row by row."""
        return [cell for row in self.cells for cell in row if not isinstance(cell, CamvizError)]

    @property
    def known(self) -> dict[Place, Explanation]:
        """Return the cells that were computed before, row by row."""
        found = {
            (row, column): explanations.known(cell)
            for row, column in self.places
            if not isinstance(cell := self.cells[row][column], CamvizError)
        }
        return {place: e for place, e in found.items() if e is not None}


def joined(*labels: str) -> str:
    """Return the labels of a row and a column as one name."""
    return " · ".join(label for label in labels if label)


def setting_label(text: str) -> str:
    """Return a label of an axis as the page shows it: only methods and classes have names in each language."""
    named = isinstance(text, ImageNetName) or text in {method.title for method in METHODS.values()}
    return tr_message(text) if named else text


def run(
    grid: Grid, draw: Draw, *, quick_only: bool = False, quick_place: Any = None
) -> dict[Place, Explanation | CamvizError]:
    """Compute the missing cells one by one: quick ones at once, slow ones after a click.

    With `quick_only`, slow cells and their button are left out. The progress of quick ones is drawn at `quick_place`.
    """
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
        ("grid.quick", _counted(len(quick), "quick"), quick, "never"),
        ("grid", _counted(len(slow), "slow"), {} if quick_only else slow, "always"),
    ):
        _compute(name, what, grid, cells, finish, ask, quick_place if cells is quick else None)
        if any(place not in done for place in cells):
            break
    return done


def _counted(count: int, which: Literal["quick", "slow"]) -> str:
    if which == "quick":
        return (
            tr("Continue with the missing heatmap") if count == 1 else tr("Continue with {count} heatmaps", count=count)
        )
    return tr("Compute the slow heatmap") if count == 1 else tr("Compute {count} slow heatmaps", count=count)


def _compute(
    name: str,
    what: str,
    grid: Grid,
    seconds: Mapping[Place, float],
    finish: Callable[..., None],
    ask: Any,
    place: Any,
) -> None:
    if not seconds:
        return
    questions = {place: grid.at(*place) for place in seconds}

    def work(report: ReportProgress) -> bool:
        parts = tasks.parts_of(
            report, list(seconds.values()), lambda done: tr("{done} of {total} heatmaps", done=done, total=len(seconds))
        )
        for (cell, question), part in zip(questions.items(), parts, strict=True):
            try:
                finish(cell, explanations.compute(question, part))
            except CamvizError as error:
                finish(cell, error)
        return True

    key = ("grid", *(question.key for question in grid.questions))  # the same after Cancel, which keeps some
    keeps = tr("Keeps the finished heatmaps.")
    tasks.run(name, key, sum(seconds.values()), what, work, ask=ask, keep=False, keeps=keeps, place=place)
