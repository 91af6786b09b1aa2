"""Courses: sequences of lessons for 45 minutes, and the exercises of university courses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ExtensionError
from .lessons import COURSES, FOLDER, Lesson, files, lesson_number, read_toml


@dataclass(frozen=True)
class Course:
    """One course: the numbers of its lessons, in order."""

    key: str
    title: str
    about: str
    lessons: tuple[int, ...]


def courses(known: Sequence[Lesson], folder: Path = FOLDER, language: str = "en") -> tuple[Course, ...]:
    """Return the courses of a folder, with the lessons among the `known` ones; others are left out.

    There are none without a file. Raises CamvizError if it is invalid.
    """
    path = folder / COURSES
    if not path.is_file():
        return ()
    numbers = {lesson_number(one) for one in files(folder)}
    here = {lesson.number for lesson in known}
    found = tuple(_course(data, numbers, here, language) for data in read_toml(path).get("course", ()))
    keys = [course.key for course in found]
    if len(set(keys)) < len(keys):
        raise ExtensionError("{file}: two courses have the same key: rename one of them", file=COURSES)
    return found


def _course(data: Any, numbers: set[int], here: set[int], language: str) -> Course:
    for name in ("key", "title", "about"):
        if not isinstance(data, dict) or not isinstance(data.get(name), str) or not data[name].strip():
            raise ExtensionError('{file}: a [[course]] needs {key} = "..."', file=COURSES, key=name)
    chosen = data.get("lessons")
    if not isinstance(chosen, list) or not chosen or not set(chosen) <= numbers or len(set(chosen)) < len(chosen):
        raise ExtensionError(
            "{file}: the course {key} needs lessons = [...], the numbers of lessons of this folder, each once",
            file=COURSES,
            key=data["key"],
        )
    title, about = (str(data.get(f"{name}_{language}", data[name])) for name in ("title", "about"))
    return Course(data["key"], title, about, tuple(number for number in chosen if number in here))
