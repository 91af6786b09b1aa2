"""Slow work on a page: show the expected time, wait for a click, queue, show progress and Cancel, keep the result."""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import streamlit as st

from ...errors import CamvizError
from ...text import duration_text
from ..session.language import error_text, tr
from .queue import ReportProgress
from .store import result_store

Result = TypeVar("Result")

PATIENCE = 5.0  # seconds of the longest computation that starts without a click
TIMED = 1.0  # seconds of the shortest computation whose button shows the expected time
SHORT = 2.0  # seconds of the longest computation without a Cancel button

CLICKED = "_clicked"  # in st.session_state: the name of the task whose button was clicked
CANCELED = "_canceled"  # in st.session_state: the keys of the tasks that were canceled, by their names


def run(
    name: str,
    key: Hashable,
    seconds: float,
    what: str,
    work: Callable[[ReportProgress], Result],
    *,
    ask: Literal["if slow", "always", "never"] = "if slow",
    kind: Literal["primary", "secondary"] = "primary",
    keep: bool = True,
    keeps: str = "",
    place: Any = None,
) -> Result | None:
    """Return the result of `work(report)`: the kept one, at once if it is quick, or after a click. None: not yet.

    `key` names by content what the result depends on: all visitors of this server find it under that key. `name`
    identifies the buttons of the work on the page, `what` is their label. Work over 5 seconds waits for a click, unless
    `ask` says otherwise, and so does work that was canceled. `keep` is False for work that keeps its results itself,
    one by one. `keeps` says what Cancel keeps; button and bar are drawn at `place`.
    """
    if (before := result_store().get(key)) is not None:
        return before  # type: ignore[no-any-return]
    place = place or st
    slot, found = place.empty(), None
    row = slot.container(horizontal=True, vertical_alignment="center")
    bar, end = row.empty(), row.empty()  # the bar where the button was: a second click there cancels nothing
    asks = ask == "always" or (ask == "if slow" and seconds > PATIENCE) or was_canceled(name, key)
    timed = tr("{what} (about {time})", what=what, time=duration_text(seconds)) if seconds >= TIMED else what
    if asks and not clicked(bar, name, timed, kind):
        return None
    if asks or ask == "never" or seconds > SHORT:
        bar.progress(0.0, tr("Starting"))
        end.button(
            tr("Cancel"),
            key=f"{name}.stop",
            shortcut="Esc",
            help=keeps or tr("Changing any setting also cancels it."),
            on_click=_cancel,
            args=(name, key),
        )

    def report(share: float, text: str = "", *, ahead: int = 0) -> None:
        bar.progress(min(1.0, share), waiting_text(ahead) if ahead and not text else text)

    try:
        found = once(key, work, report) if keep else work(report)
    except CamvizError as error:
        place.error(error_text(error))
    slot.empty()
    return found


def once(key: Hashable, work: Callable[[ReportProgress], Result], report: ReportProgress) -> Result:
    """Return the result of `work(report)`: the kept one, or computed now, here or for another visitor."""
    another = tr("Already being computed for another visitor")
    with result_store().claim(key, lambda ahead: report(0.0, another, ahead=ahead)):
        found = result_store().get(key)
        return result_store().put(key, work(report)) if found is None else found


def clicked(place: Any, name: str, label: str, kind: Literal["primary", "secondary"] = "primary") -> bool:
    """Return whether the button of that name was clicked, once; draw it if it was not."""
    if st.session_state.get(CLICKED) == name:
        del st.session_state[CLICKED]  # so that Cancel, which is a rerun, does not start it again
        return True
    place.button(label, key=f"{name}.start", type=kind, on_click=_click, args=(name,))
    return False


def _click(name: str) -> None:
    st.session_state[CLICKED] = name


def was_canceled(name: str, key: Hashable) -> bool:
    """Return whether this visitor has canceled the work of that name and key."""
    return bool(st.session_state.get(CANCELED, {}).get(name) == key)


def _cancel(name: str, key: Hashable) -> None:
    st.session_state[CANCELED] = {**st.session_state.get(CANCELED, {}), name: key}


def parts_of(
    report: ReportProgress, seconds: Sequence[float], finished: Callable[[int], str] = lambda done: ""
) -> Iterator[ReportProgress]:
    """Yield the progress callback of each part of a longer work; `seconds` are expected for each.

    The text is `finished(number of finished parts)` with the place in the queue, or with the time left for all parts.
    """
    parts = _Parts(report, sum(seconds) or 1.0, finished)
    for number, one in enumerate(seconds):
        parts.begin(number, one)
        yield parts
        parts.before += one


class _Parts:
    """The progress of one part, turned into that of the whole work; the time in the queue is not counted."""

    def __init__(self, report: ReportProgress, total: float, finished: Callable[[int], str]) -> None:
        self.report, self.total, self.finished = report, total, finished
        self.before, self.number, self.seconds = 0.0, 0, 0.0
        self.worked, self.last = 0.0, time.monotonic()

    def begin(self, number: int, seconds: float) -> None:
        self.number, self.seconds = number, seconds
        self(0.0)

    def __call__(self, share: float, text: str = "", *, ahead: int = 0) -> None:
        now = time.monotonic()
        self.worked, self.last = self.worked + (0.0 if ahead else now - self.last), now
        done = min(1.0, (self.before + min(1.0, share) * self.seconds) / self.total)
        if prefix := self.finished(self.number):
            left = self.worked * (1 - done) / done if done > 0.02 else self.total
            text = f"{prefix}, {waiting_text(ahead) if ahead else time_left(left)}"
            ahead = 0
        self.report(done, text, ahead=ahead)


def waiting_text(ahead: int) -> str:
    """Return the progress text on the place in the queue."""
    return tr("{count} ahead of you in the queue", count=ahead)


def time_left(seconds: float) -> str:
    """Return the progress text on the time that a work still needs."""
    return tr("about {time} left", time=duration_text(seconds))
