"""Lessons: TOML files with a question, heatmaps, prompts for guesses, the answer, and claims that are tested."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..edits.edit import read_text
from ..errors import ExtensionError, choice
from ..explanation.explain import ask, find_method
from ..explanation.question import Question
from ..images import DecodedImage, decode_image
from ..models import DEFAULT_MODEL, available_devices, local_models, shared_model
from ..models.catalog import source_of
from ..registry import Method
from ..runtime.installation import ASSETS, SAMPLES
from ..scores import contrast
from .claims import Claim, read_claim
from .prompts import Prompt, read_prompt

FOLDER = ASSETS / "lessons"
COURSES = "courses.toml"  # in the folder of the lessons
MINUTES = 5  # default duration of a lesson
FORMER_PAGES = ("dream", "gallery", "layers")  # links to them are redirected
PAGES = ("compare", "dataset", "evaluate", "explain", "inspect", "learn", "perturb", "room", "train", *FORMER_PAGES)
HIDES = ("nothing", "heatmaps", "labels")
_NAME = re.compile(r"(\d+)[-_](.+)\.toml")
_SETTING = re.compile(r"[a-z_.]+")
_SAMPLE = re.compile(r"sample:([a-z_]+)")


@dataclass(frozen=True)
class View:
    """A heatmap of a lesson (`page` is "explain"), or a link to another page.

    `settings` are those of the page, as in a link. `scale` is the number of the view whose color scale this heatmap
    uses; 0 is its own.
    """

    label: str
    page: str
    settings: Mapping[str, str]
    scale: int = 0


@dataclass(frozen=True)
class Lesson:
    """One lesson. `hides`, one of HIDES: the part that is hidden until the answer is opened.

    `exercise`: its links help to find the answer, so they are shown with the question. `needs`: a model of the catalog;
    without its weights on this machine the lesson is left out.
    """

    number: int
    title: str
    question: str
    answer: str
    views: tuple[View, ...]
    hides: str = "nothing"
    claims: tuple[Claim, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    minutes: int = MINUTES
    exercise: bool = False
    needs: str = ""

    @property
    def tested(self) -> tuple[Claim, ...]:
        """The claims, with those of prompts for numbers."""
        return *self.claims, *(prompt.claim for prompt in self.prompts if prompt.claim)

    @property
    def heatmaps(self) -> tuple[View, ...]:
        """The views that are shown as heatmaps beside the question."""
        return tuple(view for view in self.views if view.page == "explain")

    @property
    def links(self) -> tuple[View, ...]:
        """The views that are links to other pages."""
        return tuple(view for view in self.views if view.page != "explain")


def lessons(folder: Path = FOLDER, language: str = "en") -> tuple[Lesson, ...]:
    """Return the lessons of a folder by number, without those whose model is not on this machine.

    Raises CamvizError with the file's name if one is invalid.
    """
    found = [read(path, language) for path in files(folder)]
    numbers = [lesson.number for lesson in found]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ExtensionError("two lessons have the number {number}: rename one of their files", number=number)
    here = [lesson for lesson in found if not lesson.needs or lesson.needs in local_models()]
    return tuple(sorted(here, key=lambda lesson: lesson.number))


def files(folder: Path = FOLDER) -> list[Path]:
    """Return the files of the lessons of a folder."""
    return sorted(path for path in folder.glob("*.toml") if path.name != COURSES)


def read(path: Path, language: str = "en") -> Lesson:
    """Read a lesson from a file named like 07-rather-than.toml; texts without a translation stay in English."""
    number, data = lesson_number(path), read_toml(path)
    for key in ("title", "question", "answer"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise ExtensionError('{file} lacks {key} = "..."', file=path.name, key=key)
    views = data.get("view")
    if not isinstance(views, list) or not views:
        raise ExtensionError("{file} lacks a [[view]]: the heatmap or link that the lesson shows", file=path.name)
    texts = (data.get(f"{key}_{language}", data[key]) for key in ("title", "question", "answer"))
    title, question, answer = (" ".join(str(text).split()) for text in texts)
    lesson = Lesson(
        number,
        title,
        question,
        answer,
        tuple(_view(path, view, language) for view in views),
        choice(data.get("hides", "nothing"), HIDES, "hides"),
        tuple(read_claim(path.name, claim) for claim in data.get("claim", ())),
        minutes=_minutes(path, data.get("minutes", MINUTES)),
        exercise=bool(data.get("exercise", False)),
        needs=_needed(data.get("needs", "")),
    )
    count = len(lesson.heatmaps)
    prompts = tuple(read_prompt(path.name, guess, count, language) for guess in data.get("guess", ()))
    lesson = replace(lesson, prompts=prompts)
    for claim in lesson.tested:
        if not set(claim.of) <= set(range(1, count + 1)):
            raise ExtensionError(
                "{file}: the claim '{says}' is of a heatmap that the lesson does not have; it has {count}",
                file=path.name,
                says=claim.says,
                count=count,
            )
    return lesson


def lesson_number(path: Path) -> int:
    """Return the number of a lesson, with which the name of its file begins. Raises CamvizError."""
    name = _NAME.fullmatch(path.name)
    if not name:
        raise ExtensionError("{file}: the name of a lesson's file must be like 07-rather-than.toml", file=path.name)
    return int(name[1])


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises CamvizError with the file's name."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExtensionError("{file} is not a TOML file: {error}", file=path.name, error=str(error)) from error


def _minutes(path: Path, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= 45:
        raise ExtensionError(
            "{file}: minutes must be a whole number of 1 to 45; got {given}", file=path.name, given=repr(given)[:60]
        )
    return given


def _needed(name: str) -> str:
    """Return the catalog's name of a model, "" for "". Raises CamvizError for an unknown name."""
    source, bare = source_of(name) if name else ("", "")
    return f"timm/{bare}" if source == "timm" else bare


def _view(path: Path, data: Any, language: str) -> View:
    page = data.get("page", "explain")
    if page not in PAGES:
        raise ExtensionError(
            "{file}: there is no page '{page}'; use one of {pages}", file=path.name, page=page, pages=", ".join(PAGES)
        )
    settings = data.get("set", {})
    for key in settings:
        if not _SETTING.fullmatch(key):
            raise ExtensionError("{file}: '{key}' is not the name of a setting in a link", file=path.name, key=key)
    label = data.get(f"label_{language}", data.get("label", "Open the example"))
    return View(str(label), page, {key: str(value) for key, value in settings.items()}, int(data.get("scale", 0)))


def question_of(view: View) -> Question:
    """Return the question for the settings of a heatmap. Raises CamvizError for invalid settings."""
    settings = view.settings
    untrained = settings.get("untrained") == "1"
    name = settings.get("model", DEFAULT_MODEL)
    model = shared_model(name, "random" if untrained else "default", available_devices()[0])
    method = find_method(settings.get("method", "grad_cam"))
    target, rival = (int(settings.get(key, "-1")) for key in ("target", "rather_than"))
    return ask(
        model,
        _sample(settings.get("img", "sample:coffee")),
        method,
        None if target < 0 else target if rival < 0 else contrast(target, rival),
        settings.get("layer"),
        edit=read_text(settings["edit"], _sample) if "edit" in settings else None,
        **_knobs(method, settings),
    )


def _knobs(method: Method, settings: Mapping[str, str]) -> dict[str, Any]:
    given = {key.removeprefix(f"{method.key}."): value for key, value in settings.items() if "." in key}
    return {name: method.knobs[name].type(value) for name, value in given.items() if name in method.knobs}


@cache
def _sample(key: str) -> DecodedImage:
    name = _SAMPLE.fullmatch(key)
    path = SAMPLES / f"{name[1]}.jpg" if name else None
    if path is None or not path.is_file():
        raise ExtensionError("'{image}' is not one of the sample images: use a name such as sample:koala", image=key)
    return decode_image(path)
