"""Lessons: small data files, each a link that sets everything, a question, and its answer."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CamvizError

FOLDER = Path(__file__).parents[2] / "assets" / "lessons"
FORMER_PAGES = ("dream", "gallery", "layers")  # whose links still open the right place
PAGES = ("compare", "dataset", "evaluate", "explain", "inspect", "learn", *FORMER_PAGES)
_NAME = re.compile(r"(\d+)[-_](.+)\.toml")
_SETTING = re.compile(r"[a-z_.]+")


@dataclass(frozen=True)
class View:
    """A link: the words on it, the page, and what it sets there."""

    label: str
    page: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Lesson:
    """One card."""

    number: int
    title: str
    question: str
    answer: str
    views: tuple[View, ...]


def lessons(folder: Path = FOLDER, language: str = "en") -> tuple[Lesson, ...]:
    """All lessons of a folder, by their number. Raises CamvizError, with the file's name, where one is not right."""
    found = [read(path, language) for path in sorted(folder.glob("*.toml"))]
    numbers = [lesson.number for lesson in found]
    for number in numbers:
        if numbers.count(number) > 1:
            raise CamvizError("two lessons have the number {number}: rename one of their files", number=number)
    return tuple(sorted(found, key=lambda lesson: lesson.number))


def read(path: Path, language: str = "en") -> Lesson:
    """One lesson's file, named like 07-rather-than.toml; what it does not say in that language stays in English."""
    name = _NAME.fullmatch(path.name)
    if not name:
        raise CamvizError("{file}: a lesson's file is named by its number, like 07-rather-than.toml", file=path.name)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CamvizError("{file} is not a TOML file: {error}", file=path.name, error=str(error)) from error
    for key in ("title", "question", "answer"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise CamvizError('{file} lacks {key} = "..."', file=path.name, key=key)
    views = data.get("view")
    if not isinstance(views, list) or not views:
        raise CamvizError("{file} lacks a [[view]]: the link that the lesson opens", file=path.name)
    texts = (data.get(f"{key}_{language}", data[key]) for key in ("title", "question", "answer"))
    title, question, answer = (" ".join(str(text).split()) for text in texts)
    return Lesson(
        int(name[1]),
        title,
        question,
        answer,
        tuple(_view(path, view, language) for view in views),
    )


def _view(path: Path, data: Any, language: str) -> View:
    page = data.get("page", "explain")
    if page not in PAGES:
        raise CamvizError(
            "{file}: there is no page '{page}'; there are {pages}", file=path.name, page=page, pages=", ".join(PAGES)
        )
    settings = data.get("set", {})
    for key in settings:
        if not _SETTING.fullmatch(key):
            raise CamvizError("{file}: '{key}' is not the name of a setting in a link", file=path.name, key=key)
    label = data.get(f"label_{language}", data.get("label", "Open the example"))
    return View(str(label), page, {key: str(value) for key, value in settings.items()})
