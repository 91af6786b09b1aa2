"""Courses: sequences of lessons for 45 minutes; and the lessons and courses that the dashboard shows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import CamvizError, ExtensionError
from ..messages import Message
from ..models import local_models
from .lessons import COURSES, FOLDER, SAME_NUMBER, Lesson, files, lesson_number, read, read_toml, tables

VARIABLE = "CAMVIZ_LESSONS"  # names the folder of a teacher's own lessons


@dataclass(frozen=True)
class Course:
    """One course: the numbers of its lessons, in order."""

    key: str
    title: str
    about: str
    lessons: tuple[int, ...]


def courses(known: Sequence[Lesson], folder: Path = FOLDER, language: str = "en") -> tuple[Course, ...]:
    """Return the courses of a folder, with the lessons among the `known` ones; others are left out.

    A course may contain shipped lessons too. Without a file there are no courses. Raises CamvizError if it is invalid.
    """
    path = folder / COURSES
    if not path.is_file():
        return ()
    numbers = {lesson_number(one) for one in (*files(folder), *files(FOLDER))} | {lesson.number for lesson in known}
    here = {lesson.number for lesson in known}
    found = tuple(_course(data, numbers, here, language) for data in tables(path, read_toml(path), "course"))
    keys = [course.key for course in found]
    if len(set(keys)) < len(keys):
        raise ExtensionError("{file}: two courses have the same key: rename one of them", file=COURSES)
    return found


def folders() -> list[Path]:
    """Return the folders of the dashboard's lessons: the shipped ones, and those of the teacher."""
    own = os.environ.get(VARIABLE)
    return [FOLDER, Path(own).absolute()] if own else [FOLDER]


def shown_lessons(language: str = "en") -> tuple[dict[int, Lesson], list[Message]]:
    """Return the dashboard's lessons by number, and a sentence for each file that cannot be read.

    A lesson of the teacher takes the place of the shipped one with its number. A file is read again when it changes.
    Lessons whose model is not on this machine are left out.
    """
    found: dict[int, Lesson] = {}
    faults = []
    for folder in folders():
        if not folder.is_dir():
            faults.append(
                Message(
                    "there is no folder {folder}: correct the variable {variable}", variable=VARIABLE, folder=folder
                )
            )
        of_folder: dict[int, Lesson] = {}
        for path in files(folder):
            try:
                lesson = _read(path, path.stat().st_mtime_ns, language)
                if lesson.number in of_folder:
                    raise ExtensionError(SAME_NUMBER.template, number=lesson.number)
                of_folder[lesson.number] = lesson
            except CamvizError as error:
                faults.append(error.message)
        found |= of_folder
    here = local_models()
    kept = sorted(number for number, lesson in found.items() if not lesson.needs or lesson.needs in here)
    return {number: found[number] for number in kept}, faults


@lru_cache(maxsize=400)
def _read(path: Path, changed: int, language: str) -> Lesson:
    """Read a lesson; once for each version of its file."""
    return read(path, language)


def shown_courses(shown: Mapping[int, Lesson], language: str = "en") -> tuple[dict[str, Course], list[Message]]:
    """Return the dashboard's courses by key, and a sentence for each file that cannot be read.

    A course of the teacher takes the place of the shipped one with its key. One without a lesson is left out.
    """
    found: dict[str, Course] = {}
    faults = []
    for folder in folders():
        try:
            found |= {course.key: course for course in courses(tuple(shown.values()), folder, language)}
        except CamvizError as error:
            faults.append(error.message)
    return {key: course for key, course in found.items() if course.lessons}, faults


def _course(data: Mapping[str, Any], numbers: set[int], here: set[int], language: str) -> Course:
    for name in ("key", "title", "about"):
        if not isinstance(data.get(name), str) or not data[name].strip():
            raise ExtensionError('{file}: a [[course]] needs {key} = "..."', file=COURSES, key=name)
    chosen: Any = data.get("lessons")
    valid = isinstance(chosen, list) and chosen and all(type(one) is int and one in numbers for one in chosen)
    if not valid or len(set(chosen)) < len(chosen):
        raise ExtensionError(
            "{file}: the course {key} needs lessons = [...], the numbers of lessons of this folder or of the shipped "
            "ones, each once",
            file=COURSES,
            key=data["key"],
        )
    title, about = (str(data.get(f"{name}_{language}", data[name])) for name in ("title", "about"))
    return Course(data["key"], title, about, tuple(number for number in chosen if number in here))
