"""The results of a class from its hand-ins: votes, scores, and all guessed regions as one heatmap."""

import base64
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

import numpy as np

from .. import encode, render
from ..edits.packed_masks import unpack
from ..errors import CamvizError, FilesError
from ..explanation.explain import answer
from ..explanation.explanation import Explanation
from ..messages import Message
from . import marking
from .guesses import Guess
from .hand_in import HandIn, read_hand_in
from .html_pages import html_page
from .lessons import Lesson, question_of
from .prompts import Prompt

MOST_FILES = 1000
COLUMNS = (
    "file", "student", "made", "lesson", "title", "question", "kind", "value", "correct", "score", "seconds",
    "with_map",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of a formula in a spreadsheet
WORDS = {
    "title": Message("What the class guessed"),
    "students": Message("Students"),
    "refused": Message("Files that were left out"),
    "columns": (
        Message("student"),
        Message("guesses"),
        Message("right"),
        Message("mean score of regions"),
        Message("minutes"),
        Message("file"),
    ),
}


@dataclass(frozen=True, eq=False)
class CaptionedImage:
    """An image of the page with its caption."""

    jpeg: bytes = field(repr=False)
    caption: str

    @property
    def base64(self) -> str:
        """The file in base64."""
        return base64.b64encode(self.jpeg).decode()


@dataclass(frozen=True)
class Vote:
    """An answer of a choice, and the number of students who gave it."""

    answer: str
    count: int
    percent: int
    right: bool


@dataclass(frozen=True, eq=False)
class QuestionResult:
    """One question with the guesses at it, marked again. `guesses` and `students`: by the name of the file."""

    lesson: Lesson
    prompt: Prompt
    guesses: Mapping[str, Guess]
    students: Mapping[str, str]
    images: tuple[CaptionedImage, ...] = ()

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The votes of a choice, in the order of its options."""
        counts = [sum(guess.value == key for guess in self.guesses.values()) for key in self.prompt.keys]
        return tuple(
            Vote(text, count, round(100 * count / len(self.guesses)), number == self.prompt.right)
            for number, (text, count) in enumerate(zip(self.prompt.options, counts, strict=True), 1)
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The sentences, each with its student."""
        found = ((self.students[file], guess) for file, guess in self.guesses.items() if guess.kind == "sentence")
        return tuple((student, str(guess.value)) for student, guess in found)

    @property
    def summary(self) -> Message:
        """The result in one sentence."""
        count = len(self.guesses)
        scores = [guess.score for guess in self.guesses.values() if guess.score is not None]
        right = sum(guess.correct is True for guess in self.guesses.values())
        if self.prompt.kind == "region" and scores:
            return Message(
                "{count} regions; mean score {score} (share of the heatmap inside minus the share of the image; a "
                "random region scores 0).",
                count=count,
                score=f"{fmean(scores):.2f}",
            )
        if self.prompt.kind == "number":
            values = [float(guess.value) for guess in self.guesses.values()]
            return Message(
                "{right} of {count} are right (expected: {expected}); the median is {median} ({low} to {high}).",
                right=right,
                count=count,
                expected=f"{self.prompt.expected:g}",
                median=f"{median(values):.4g}",
                low=f"{min(values):.4g}",
                high=f"{max(values):.4g}",
            )
        if scores:
            return Message("{right} of {count} are right.", right=right, count=count)
        return Message("{count} answers.", count=count)


@dataclass(frozen=True, eq=False)
class Collected:
    """The results of a class: hand-ins by the name of their file, questions, and a sentence for each refused file."""

    files: tuple[tuple[str, HandIn], ...]
    questions: tuple[QuestionResult, ...]
    refused: tuple[Message, ...]

    @property
    def summary(self) -> Message:
        """The number of students and of questions."""
        return Message(
            "{students} students, {questions} questions.", students=len(self.files), questions=len(self.questions)
        )

    @property
    def students(self) -> list[tuple[str, ...]]:
        """A row for each student."""
        rows: list[tuple[str, ...]] = []
        for file, work in self.files:
            marked = [guess for _, guess in self._of(file)]
            regions = [guess.score for guess in marked if guess.kind == "region" and guess.score is not None]
            judged = [guess.correct for guess in marked if guess.correct is not None]
            rows.append(
                (
                    work.student,
                    str(len(marked)),
                    f"{sum(judged)}/{len(judged)}",
                    f"{fmean(regions):.2f}" if regions else "",
                    f"{sum(guess.seconds for guess in marked) / 60:.0f}",
                    file,
                )
            )
        return rows

    def to_csv(self) -> str:
        """Return one row for each guess. A text that a spreadsheet would run as a formula begins with an apostrophe."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for file, work in self.files:
            for asked, guess in self._of(file):
                row = (
                    file, work.student, work.made, guess.lesson, asked.lesson.title, guess.question, guess.kind,
                    guess.value, guess.correct, guess.score, guess.seconds, guess.with_map,
                )  # fmt: skip
                writer.writerow([_cell(value) for value in row])
        return table.getvalue()

    def to_html(self, language: str = "en", translate: Callable[[str], str] = str) -> str:
        """Return the page."""
        return html_page("class.html.j2", language, translate, found=self, words=WORDS)

    def _of(self, file: str) -> Iterator[tuple[QuestionResult, Guess]]:
        return ((asked, asked.guesses[file]) for asked in self.questions if file in asked.guesses)


def collect(folder: Path, lessons: Sequence[Lesson], besides: Path | None = None) -> Collected:
    """Read all HTML files in a folder and its subfolders except the file `besides`, and mark their guesses again.

    A file that is no hand-in is left out, with a sentence that says why. The first one of two equal files counts, and
    the first one of two guesses in a file at one question. Raises CamvizError if there is no folder, or no file in it
    is a hand-in.
    """
    if not folder.is_dir():
        raise FilesError("'{folder}' is not a folder: name the one with the files of the class", folder=str(folder))
    works: dict[str, HandIn] = {}
    refused: list[Message] = []
    pages = (path for path in folder.rglob("*") if path.suffix.lower() in (".html", ".htm") and path.is_file())
    paths = sorted(path for path in pages if besides is None or path.resolve() != besides.resolve())
    if len(paths) > MOST_FILES:
        raise FilesError(
            "'{folder}' has {count} HTML files, and at most {most} are accepted: name the folder of one class",
            folder=str(folder),
            count=len(paths),
            most=MOST_FILES,
        )
    for path in paths:
        name = marking.printable(path.relative_to(folder).as_posix(), 200)
        try:
            work = read_hand_in(path)
            _check(work, lessons)
        except FilesError as error:
            refused.append(error.message)
            continue
        except CamvizError as error:
            refused.append(Message("{file}: {reason}", file=name, reason=error.message))
            continue
        if work in works.values():
            refused.append(Message("{file}: another file has the same content", file=name))
        else:
            works[name] = work
    if not works:
        raise FilesError(
            "'{folder}' holds no file that a student has handed in: collect the HTML files of the page Learn{reasons}",
            folder=str(folder),
            reasons="".join(f"; {sentence}" for sentence in refused[:3]),
        )
    known = _prompts(lessons)
    missing = sum((guess.lesson, guess.question) not in known for work in works.values() for guess in work.guesses)
    if missing:
        refused.append(Message("{count} guesses are at questions that are not in these lessons", count=missing))
    results = (_result(lesson, prompt, works) for lesson, prompt in known.values())
    return Collected(tuple(works.items()), tuple(one for one in results if one), tuple(refused))


def _prompts(lessons: Sequence[Lesson]) -> dict[tuple[int, str], tuple[Lesson, Prompt]]:
    return {(lesson.number, prompt.key): (lesson, prompt) for lesson in lessons for prompt in lesson.prompts}


def _check(work: HandIn, lessons: Sequence[Lesson]) -> None:
    """Raise CamvizError if a guess does not answer its question. A file of the page Learn has no such guess."""
    known = _prompts(lessons)
    for guess in work.guesses:
        if (guess.lesson, guess.question) in known:
            prompt = known[guess.lesson, guess.question][1]
            if prompt.kind != guess.kind:
                raise CamvizError(
                    "a guess is of the kind {given}, but its question asks for a {kind}",
                    given=guess.kind,
                    kind=prompt.kind,
                )
            marking.mark(prompt, guess.value)


def _result(lesson: Lesson, prompt: Prompt, works: Mapping[str, HandIn]) -> QuestionResult | None:
    """Return the guesses at one question by file, marked again, because the scores in a file could be edited."""
    given: dict[str, Guess] = {}
    for name, work in works.items():
        for guess in work.guesses:
            if (guess.lesson, guess.question) == (lesson.number, prompt.key):
                given.setdefault(name, guess)
    if not given:
        return None
    e = answer(question_of(lesson.heatmaps[prompt.view - 1])) if prompt.kind == "region" else None
    marked = {
        name: marking.guess(lesson.number, prompt, guess.value, guess.seconds, guess.with_map, e)
        for name, guess in given.items()
    }
    students = {name: works[name].student for name in marked}
    images = _images(e, tuple(marked.values())) if e is not None else ()
    return QuestionResult(lesson, prompt, marked, students, images)


def _images(e: Explanation, guesses: Sequence[Guess]) -> tuple[CaptionedImage, ...]:
    """Return the mean of all guessed regions and the heatmap of the network, both over the image."""
    marked = np.mean([unpack(str(guess.value)) for guess in guesses], axis=0)
    mean_region = render.upsample(marked, (e.view.shape[0], e.view.shape[1]))
    heatmaps = (
        (mean_region, Message("All regions of the class: bright where most students marked")),
        (e.heatmap, Message("The heatmap of the model")),
    )
    return tuple(CaptionedImage(encode.jpeg(render.overlay(e.view, one)), caption) for one, caption in heatmaps)


def _cell(value: object) -> object:
    if isinstance(value, str):
        text = " ".join(value.split())
        return f"'{text}" if text.startswith(FORMULA) else text
    return "" if value is None else value
