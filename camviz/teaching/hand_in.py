"""The hand-in of a student: guesses, links and times in one HTML file, for people and for `camviz collect`."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from .. import encode
from ..edits.masks import RGB, Mask, enlarged
from ..errors import CamvizError, FilesError
from ..messages import Message
from ..version import __version__
from .guesses import Guess
from .html_pages import html_page
from .lessons import Lesson
from .marking import printable

KIND = "camviz-hand-in"
FORMAT = 1
LARGEST = 2_000_000  # bytes of a file
LONGEST_NAME = 80  # characters
LONGEST_LINK = 2000
MOST_GUESSES, MOST_LINKS = 200, 50
FIELDS = {"kind", "format", "camviz", "student", "made", "language", "guesses", "links"}
BORDER = (255, 176, 0)  # of a guessed region
WORDS = {
    "title": Message("Handed in"),
    "links": Message("Links"),
    "region": Message("Marked region"),
    "columns": (Message("lesson"), Message("question"), Message("answer"), Message("result"), Message("time")),
}
_DATA = re.compile(rf'<script type="application/json" id="{KIND}">(.*?)</script>', re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2,4})?")
_WEB = re.compile(r"https?://[^\s<>\"']+")


@dataclass(frozen=True)
class HandIn:
    """The work of one student. `made`: the time of the file, as 2026-11-27T16:05:00Z. Raises CamvizError."""

    student: str
    made: str
    guesses: tuple[Guess, ...]
    links: tuple[str, ...] = ()
    language: str = "en"
    version: str = field(default=__version__)

    def __post_init__(self) -> None:
        """Check the fields, which may come from an untrusted file."""
        _check(self.student, Message("a name"), LONGEST_NAME)
        _check(self.version, Message("a version"), LONGEST_NAME)
        if not _TIME.fullmatch(self.made):
            raise CamvizError("a time must look like 2026-11-27T16:05:00Z; got {given}", given=repr(self.made)[:60])
        if not _LANGUAGE.fullmatch(self.language):
            raise CamvizError("a language must be a code such as en or zh; got {given}", given=repr(self.language)[:60])
        if len(self.guesses) > MOST_GUESSES or len(self.links) > MOST_LINKS:
            raise CamvizError(
                "a student hands in at most {guesses} guesses and {links} links",
                guesses=MOST_GUESSES,
                links=MOST_LINKS,
            )
        for link in self.links:
            _check(link, Message("a link"), LONGEST_LINK)

    @property
    def web_links(self) -> tuple[tuple[str, bool], ...]:
        """The links, each with whether it is a web address. Other texts are not shown as links."""
        return tuple((link, bool(_WEB.fullmatch(link))) for link in self.links)

    def to_json(self) -> dict[str, Any]:
        """Return the hand-in as an object that `json.dumps` writes."""
        return {
            "kind": KIND,
            "format": FORMAT,
            "camviz": self.version,
            "student": self.student,
            "made": self.made,
            "language": self.language,
            "guesses": [guess.to_json() for guess in self.guesses],
            "links": list(self.links),
        }

    @classmethod
    def from_json(cls, data: Any) -> "HandIn":
        """Return the hand-in of an object that `to_json` returned. Raises CamvizError for any other."""
        if not isinstance(data, Mapping) or data.get("kind") != KIND or set(data) != FIELDS:
            raise CamvizError("its data are not a hand-in of CamViz: collect the files of the page Learn")
        if data["format"] != FORMAT:
            raise CamvizError(
                "it has the format {given}, and this version of CamViz reads format {known}: update CamViz",
                given=repr(data["format"])[:20],
                known=FORMAT,
            )
        if not isinstance(data["guesses"], list) or not isinstance(data["links"], list):
            raise CamvizError("its guesses or its links are no list: the file was changed")
        texts = [data[name] for name in ("student", "made", "language", "camviz")]
        if not all(isinstance(text, str) for text in texts):
            raise CamvizError("its name, its time, its language or its version is no text: the file was changed")
        student, made, language, version = texts
        guesses = tuple(Guess.from_json(one) for one in data["guesses"][: MOST_GUESSES + 1])
        return cls(student, made, guesses, tuple(data["links"]), language, version)


def links_of(text: str) -> tuple[str, ...]:
    """Return the links in a text with one link per line."""
    lines = (printable(line, LONGEST_LINK) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))[:MOST_LINKS]


def to_html(
    work: HandIn,
    lessons: Sequence[Lesson],
    images: Mapping[int, bytes] | None = None,
    translate: Callable[[str], str] = str,
) -> str:
    """Return the HTML file of a hand-in. `images`: JPEG files of guessed regions, by the index of the guess."""
    known = {lesson.number: lesson for lesson in lessons}
    rows = []
    for place, guess in enumerate(work.guesses):
        lesson = known.get(guess.lesson)
        prompt = next((one for one in lesson.prompts if one.key == guess.question), None) if lesson else None
        value = f"{guess.value:g}" if isinstance(guess.value, float | int) else guess.value
        rows.append(
            {
                "lesson": f"{guess.lesson}. {lesson.title}" if lesson else str(guess.lesson),
                "question": prompt.text if prompt else guess.question,
                "answer": "" if guess.kind == "region" else prompt.option(value) if prompt else value,
                "image": base64.b64encode((images or {})[place]).decode() if place in (images or {}) else "",
                "result": _result(guess),
                "seconds": f"{guess.seconds:.0f} s",
            }
        )
    data = json.dumps(work.to_json(), ensure_ascii=True)
    for letter in "<>&":  # so that no text can end the script element
        data = data.replace(letter, f"\\u{ord(letter):04x}")
    return html_page(
        "hand_in.html.j2", work.language, translate, work=work, rows=rows, words=WORDS, kind=KIND, data=Markup(data)
    )


def read_hand_in(path: Path) -> HandIn:
    """Read a file that `to_html` wrote. Raises CamvizError with the file's name and a sentence for any other."""
    try:
        if path.stat().st_size > LARGEST:
            raise CamvizError("it is larger than {most} MB", most=LARGEST // 1_000_000)
        found = _DATA.findall(path.read_text(encoding="utf-8"))
        if len(found) != 1:
            raise CamvizError("it is no file of the page Learn: it holds no hand-in")
        return HandIn.from_json(json.loads(found[0]))
    except CamvizError as error:
        raise FilesError("{file}: {reason}", file=_shown(path), reason=error.message) from error
    except OSError as error:
        raise FilesError("{file}: it cannot be read ({reason})", file=_shown(path), reason=str(error)[:200]) from error
    except (ValueError, RecursionError) as error:  # invalid JSON, a number of many digits, too many levels
        raise FilesError("{file}: its data are damaged", file=_shown(path)) from error


def region_image(view: RGB, region: Mask, side: int = 200) -> bytes:
    """Return a view as a small JPEG file with the border of a region."""
    small = np.asarray(Image.fromarray(view).resize((side, side)))
    inside = enlarged(region, (side, side))
    padded = np.pad(inside, 2)
    core = np.logical_and.reduce(
        [
            padded[2 + down : side + 2 + down, 2 + right : side + 2 + right]
            for down in (-2, 0, 2)
            for right in (-2, 0, 2)
        ]
    )
    return encode.jpeg(np.where((inside & ~core)[:, :, None], np.array(BORDER, np.uint8), small), quality=80)


def _result(guess: Guess) -> str:
    if guess.correct is not None:
        return Message("right") if guess.correct else Message("wrong")
    return "" if guess.score is None else f"{guess.score:.2f}"


def _check(text: Any, what: str, most: int) -> None:
    if not isinstance(text, str) or not text.strip() or len(text) > most or not text.isprintable():
        raise CamvizError(
            "{what} has 1 to {most} characters on one line; got {given}",
            what=what,
            most=most,
            given=repr(text)[:60],
        )


def _shown(path: Path) -> str:
    return printable(path.name, LONGEST_NAME)
