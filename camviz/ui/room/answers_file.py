"""All answers of a room as a table, without nicknames."""

import csv
from collections.abc import Callable
from io import StringIO

from ..server.rooms import Answer, Wall

COLUMNS = (
    "lesson",
    "question",
    "kind",
    "predicted",
    "answer",
    "right",
    "with_heatmap",
    "heatmap_inside",
    "area",
    "seconds",
)
FORMULAS = ("=", "+", "-", "@")  # the first characters of cells that a spreadsheet would compute


def csv_of(wall: Wall, say: Callable[[str], str] = str) -> str:
    """Return the answers to all questions of the teacher, and the guesses in lessons; `say` translates."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in wall.asked:
        for answer in one.answers:
            writer.writerow(_line("", say(one.text), one.kind, one.predicted, answer))
    for lesson in wall.lessons:
        for answer in lesson.answers:
            writer.writerow(_line(str(lesson.lesson), lesson.question, lesson.kind, "", answer))
    return file.getvalue()


def _line(lesson: str, question: str, kind: str, predicted: str, answer: Answer) -> list[str]:
    numbers = (f"{one:.3g}" if one is not None else "" for one in (answer.score, answer.area, answer.seconds))
    right = "" if answer.right is None else str(int(answer.right))
    value = answer.value if isinstance(answer.value, str) else f"{answer.value:g}"
    texts = map(_text, (question, kind, predicted))
    return [lesson, *texts, value if kind == "region" else _text(value), right, str(int(answer.with_map)), *numbers]


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULAS) else text
