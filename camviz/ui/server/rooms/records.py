"""The records of a room: seats, questions, answers."""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ....edits import GRID, unpack
from ....errors import RoomError
from ....messages import Message
from ....stage.stage_map import StageMap

Kind = Literal["region", "choice", "number", "sentence"]
Maps = Literal["nobody", "half", "everybody"]

LONGEST_NAME = 20  # characters of a nickname
LONGEST_TEXT = 300  # of a question, a sentence, a link
CLOSE = 10.0  # percentage points by which a guessed probability may differ and still count as right


class GuessLike(Protocol):
    """A guess at a question of a lesson, see camviz.teaching.guesses."""

    @property
    def lesson(self) -> int: ...
    @property
    def question(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def correct(self) -> bool | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def with_map(self) -> bool: ...


@dataclass(frozen=True)
class Seat:
    """A place in a room: the room's code, and the secret that proves whose place it is."""

    code: str
    token: str
    teaches: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """The image of a question, a JPEG that covers (height, width), its heatmap, and what the heatmap shows.

    `mass` is the heatmap's share in each of 56 x 56 cells; None where nothing is positive.
    """

    jpeg: bytes
    size: tuple[int, int]
    map: StageMap
    mass: NDArray[np.float32] | None
    about: str

    @property
    def bytes(self) -> int:
        """Return the size in memory."""
        return len(self.jpeg) + self.map.values.nbytes + (0 if self.mass is None else self.mass.nbytes)


@dataclass(frozen=True, eq=False)
class Question:
    """A teacher's question. `maps` says who sees the heatmap, `tells` whether the prediction is shown from the start.

    `correct` is a choice or a number, None for a region and a sentence. `predicted` and `shown` are the model's
    class and its probability.
    """

    kind: Kind
    text: str
    picture: Picture
    predicted: str
    shown: str
    choices: tuple[str, ...] = ()
    correct: str | float | None = None
    maps: Maps = "nobody"
    tells: bool = False

    def answer(self, value: Any, with_map: bool, seconds: float) -> "Answer":
        """Return an answer to this question. Raises CamvizError for a value that it cannot have."""
        if self.kind == "region":
            mask = unpack(value)
            mass = self.picture.mass
            score = None if mass is None else float(mass[mask].sum())
            return Answer(value, with_map, None, seconds, score, float(mask.mean()))
        if self.kind == "choice":
            if value not in self.choices:
                raise RoomError("'{value}' is not one of the choices: choose one of those shown", value=str(value)[:30])
            return Answer(str(value), with_map, value == self.correct, seconds)
        if self.kind == "number":
            found = number(value)
            right = None if self.correct is None else abs(found - float(self.correct)) <= CLOSE
            return Answer(found, with_map, right, seconds)
        return Answer(plain_text(value, LONGEST_TEXT, Message("an answer")), with_map, None, seconds)


@dataclass(frozen=True)
class Answer:
    """One person's answer: a region as a packed mask, a choice, a number or a sentence.

    For a region, `score` is the share of the heatmap inside it, and `area` its share of the image.
    """

    value: str | float
    with_map: bool
    right: bool | None
    seconds: float
    score: float | None = None
    area: float | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Return the region, (56, 56)."""
        return unpack(str(self.value))


def number(value: Any) -> float:
    """Return a finite number. Raises RoomError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e12:
        raise RoomError("'{value}' is not a number: enter a number, such as 50", value=str(value)[:30])
    return float(value)


def plain_text(value: Any, longest: int, what: str) -> str:
    """Return a text on one line, without control characters. Raises RoomError if it is empty or too long."""
    words = str(value)[: 4 * longest].split()
    visible = ("".join(one for one in word if not unicodedata.category(one).startswith("C")) for word in words)
    kept = " ".join(filter(None, visible))
    if not isinstance(value, str) or not kept or len(kept) > longest:
        raise RoomError(
            "{what} has 1 to {longest} characters; got {count}: write a text of this length",
            what=what,
            longest=longest,
            count=len(str(value)),
        )
    return kept


def empty_sum() -> NDArray[np.int32]:
    """Return the sum of no masks."""
    return np.zeros((GRID, GRID), np.int32)
