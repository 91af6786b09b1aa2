"""Views of a room for a teacher and a student: copies that no later answer changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .records import Answer, Question


@dataclass(frozen=True)
class Person:
    """A student: nickname, last page and lesson, whether it is still open, and whether the student has answered."""

    name: str
    page: str
    lesson: int | None
    here: bool
    answered: bool


@dataclass(frozen=True, eq=False)
class Lesson:
    """The guesses at one question of a lesson. `regions` is the sum of the guessed masks, (56, 56)."""

    lesson: int
    question: str
    kind: str
    answers: tuple[Answer, ...]
    regions: NDArray[np.int32]


@dataclass(frozen=True)
class Asked:
    """A question of the teacher, the current or an earlier one, and its answers."""

    text: str
    kind: str
    predicted: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, eq=False)
class Wall:
    """What a teacher sees. `regions` is the sum of the masks of all answers, (56, 56)."""

    code: str
    invitation: str
    seconds_left: float
    people: tuple[Person, ...]
    number: int
    question: Question | None
    open: bool
    answers: tuple[Answer, ...]
    regions: NDArray[np.int32]
    link: str
    lessons: tuple[Lesson, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, eq=False)
class Student:
    """What one student sees: `answers` and `regions` of the others are empty until the answer is shown."""

    code: str
    name: str
    number: int
    question: Question | None
    open: bool
    with_map: bool
    own: Answer | None
    answers: tuple[Answer, ...]
    regions: NDArray[np.int32]
    link: str
    link_number: int
