"""Hand in: what a student has guessed, as one file to download."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from ...edits import unpack
from ...teaching import hand_in
from ...teaching.guesses import Guess
from ...teaching.lessons import Lesson, question_of
from ...teaching.marking import printable
from ...text import file_name
from ..session import language
from ..session.language import tr
from . import kept_work

NAME, LINKS = "hand_in_name", "hand_in_links"
LONGEST_LINKS = 20_000  # characters of all links


def draw(lessons: Mapping[int, Lesson]) -> None:
    """Draw the name, the links and the button below the lesson, once there is a guess."""
    kept = kept_work.guesses()
    if not kept:
        return
    place = st.expander(tr("Hand in ({count} guesses)", count=len(kept)), icon=":material/assignment_turned_in:")
    place.caption(
        tr(
            "Your guesses, their scores and times as one file for your teacher. They are kept in this server's memory "
            "until two hours after your last action, and only this browser can see them."
        )
    )
    for number, key in enumerate((NAME, LINKS)):
        if key not in st.session_state and (written := kept_work.text(number)):
            st.session_state[key] = written
    name = place.text_input(
        tr("Your name"),
        key=NAME,
        max_chars=hand_in.LONGEST_NAME,
        persist_state="session",
        on_change=_keep,
        args=(0, NAME, hand_in.LONGEST_NAME),
    )
    links = place.text_area(
        tr("Links to your results, one a line (optional)"),
        key=LINKS,
        max_chars=LONGEST_LINKS,
        persist_state="session",
        on_change=_keep,
        args=(1, LINKS, LONGEST_LINKS),
    )
    student = printable(" ".join((name or "").split()), hand_in.LONGEST_NAME)
    guesses = tuple(kept[one] for one in sorted(kept))
    made = datetime.now(UTC)
    place.download_button(
        tr("Download the file to hand in"),
        partial(_file, student, made, guesses, links or "", lessons, language.current(), language.translator()[1]),
        file_name=f"{file_name('camviz', student, f'{made:%H%M%S}')}.html",
        mime="text/html",
        key="lesson.hand_in",
        icon=":material/download:",
        disabled=not student,
        help=None if student else tr("Write your name first."),
        on_click="ignore",
    )


def _keep(number: int, key: str, longest: int) -> None:
    kept_work.keep_text(number, str(st.session_state[key] or "")[:longest])


def _file(
    student: str,
    made: datetime,
    guesses: tuple[Guess, ...],
    links: str,
    lessons: Mapping[int, Lesson],
    language: str,
    translate: Callable[[str], str],
) -> str:
    work = hand_in.HandIn(student, f"{made:%Y-%m-%dT%H:%M:%SZ}", guesses, hand_in.links_of(links), language)
    return hand_in.to_html(work, list(lessons.values()), _pictures(lessons, guesses), translate)


def _pictures(lessons: Mapping[int, Lesson], guesses: tuple[Guess, ...]) -> dict[int, bytes]:
    """Return the images of the guessed regions by the places of their guesses."""
    found = {}
    for place, guess in enumerate(guesses):
        if guess.kind != "region" or guess.lesson not in lessons:
            continue
        lesson = lessons[guess.lesson]
        prompt = next(one for one in lesson.prompts if one.key == guess.question)
        view = question_of(lesson.heatmaps[prompt.view - 1])
        shown = view.model.view(view.image, view.fit)
        found[place] = hand_in.region_image(shown, unpack(str(guess.value)))
    return found
