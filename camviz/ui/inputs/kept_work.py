"""The work of a student in lessons, held on the server like uploads: a reload and a second tab find it.

Each guess is held separately, so that two tabs do not overwrite each other's guesses. A draft is a guess that is not
checked yet.
"""

from typing import Any

from ...teaching.guesses import LONGEST, Guess
from . import visitor

Place = tuple[int, int]  # the number of a lesson, and that of its prompt

_KIND = "work"
_GUESS, _DRAFT, _GIVEN, _SEEN, _TEXT = "guess", "draft", "given", "seen", "text"
_BYTES = 500  # of each entry besides its texts


def guesses() -> dict[Place, Guess]:
    """Return the guesses of this student."""
    return {(place[0], place[1]): guess for place, guess in _all(_GUESS).items()}


def keep_guess(place: Place, guess: Guess) -> bool:
    """Keep a guess, unless this prompt has one already; return whether it was kept."""
    if place in guesses():
        return False
    _hold(_GUESS, place, guess, len(str(guess.value)) + len(guess.question))
    return True


def draft(place: Place) -> str | float | None:
    """Return the draft of a prompt; None if there is none."""
    found: tuple[str | float | None, float] = _all(_DRAFT).get(place, (None, 0.0))
    return found[0]


def started(lesson: int) -> float | None:
    """Return when the student began with a lesson, in seconds of the clock; None if nothing is guessed there yet."""
    return min((since for place, (_, since) in _all(_DRAFT).items() if place[0] == lesson), default=None)


def keep_draft(place: Place, value: str | float | None, since: float) -> None:
    """Keep the draft of a prompt, which replaces an earlier one; None and "" remove it.

    `since`: when the lesson was first shown.
    """
    if value is None or value == "":
        visitor.remove(_KIND, _id(_DRAFT, place))
        return
    kept = value[:LONGEST] if isinstance(value, str) else value
    _hold(_DRAFT, place, (kept, since), len(str(kept)))


def given(lesson: int) -> tuple[list[Any], float] | None:
    """Return the values that were given in a lesson and the seconds they took, until `marked`."""
    found: tuple[list[Any], float] | None = _all(_GIVEN).get((lesson,))
    return found


def give(lesson: int, values: list[Any], seconds: float) -> None:
    """Keep the values given in a lesson until they are marked, for which its heatmaps are computed."""
    _hold(_GIVEN, (lesson,), (values, seconds), sum(len(str(value)) for value in values))


def marked(lesson: int) -> None:
    """Drop the values that were given in a lesson."""
    visitor.remove(_KIND, _id(_GIVEN, (lesson,)))


def seen() -> set[int]:
    """Return the lessons whose answer was seen."""
    return {place[0] for place in _all(_SEEN)}


def see(lesson: int) -> None:
    """Note that the answer of a lesson was seen; its drafts no longer count."""
    if lesson not in seen():
        for place in _all(_DRAFT):
            if place[0] == lesson:
                visitor.remove(_KIND, _id(_DRAFT, place))
        _hold(_SEEN, (lesson,), True)


def text(number: int) -> str:
    """Return a text that the student has written for the hand-in, "" for none."""
    return str(_all(_TEXT).get((number,), ""))


def keep_text(number: int, written: str) -> None:
    """Keep a text of the hand-in."""
    _hold(_TEXT, (number,), written, len(written))


def _id(what: str, place: tuple[int, ...]) -> str:
    return ".".join((what, *map(str, place)))


def _all(what: str) -> dict[tuple[int, ...], Any]:
    found = {}
    for key, value in visitor.uploads(_KIND).items():
        name, *place = key.split(".")
        if name == what:
            found[tuple(map(int, place))] = value
    return found


def _hold(what: str, place: tuple[int, ...], value: Any, characters: int = 0) -> None:
    visitor.hold(_KIND, _id(what, place), value, _BYTES + 4 * characters)
