"""A lesson: question and guess, its heatmaps beside them, and the answer after the guess."""

from functools import partial

import streamlit as st

from ...errors import CamvizError
from ...models import DEFAULT_MODEL, available_devices, shared_model
from ...teaching.courses import shown_courses, shown_lessons
from ...teaching.lessons import Lesson, View
from ..session import language, settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..shell import pages
from . import hand_in, lesson_guesses, lesson_heatmaps

ALL = "all"  # the course of all lessons
OPENED = "_lesson_view"  # in st.session_state: the view whose link was clicked
DEFAULTS = {"fit": "crop", "method": "grad_cam", "rather_than": "-1", "several": "0", "target": "-1", "untrained": "0"}


def draw() -> None:
    """Show the selected lesson below the picker of lessons."""
    if view := st.session_state.pop(OPENED, None):
        _open(view)
    found, faults = shown_lessons(language.current())
    for fault in faults:
        st.warning(tr("A lesson is left out: {error}.", error=escaped(tr_message(fault))))
    if not found:
        st.info(tr("There are no lessons."))
        return
    lesson = found[_pick(_of_course(found))]
    opened = settings.setting("answer", 0, {0, *found}, int) == lesson.number
    asked = lesson_guesses.asks(lesson) and not opened
    lesson_guesses.begin(lesson, opened)
    with st.container(key=f"lesson_body{min(4, len(lesson.heatmaps))}"):  # page.css lays out its three parts
        ask, show, guess = (st.container(key=f"lesson_{name}") for name in ("ask", "show", "guess"))
    with ask:
        st.header(f"{lesson.number}. {lesson.title}", anchor=False)
        st.caption(tr("{minutes} minutes", minutes=lesson.minutes))
        st.markdown(lesson.question)
        if lesson.exercise and not opened:
            _links(lesson)
    with guess:
        if opened:
            st.success(lesson.answer)
        result = st.container()
        if asked:
            lesson_guesses.draw(lesson, _open_answer)
        elif lesson.prompts and not opened and not lesson_guesses.given(lesson):
            st.caption(tr("The answer has been opened, so a guess no longer counts."))
        st.button(
            tr("Hide the answer")
            if opened
            else tr("Show the answer without a guess")
            if asked
            else tr("Show the answer"),
            key="lesson.answer",
            type="tertiary" if asked else "secondary",
            icon=":material/visibility_off:" if opened else ":material/visibility:",
            on_click=_open_answer,
            args=(0 if opened else lesson.number,),
        )
        if opened:
            _links(lesson)
    with show:
        try:
            mark = partial(lesson_guesses.mark, lesson)
            heatmaps = lesson_heatmaps.draw(lesson, opened, asked, _open_later, mark)
        except CamvizError as error:
            st.error(language.error_text(error))
            return
    if opened:
        with result:
            lesson_guesses.results(lesson, heatmaps, _open_later)
    hand_in.draw(found)


def _of_course(found: dict[int, Lesson]) -> dict[int, Lesson]:
    """Draw the picker of courses, and return the lessons of the selected one, in its order."""
    known, faults = shown_courses(found, language.current())
    for fault in faults:
        st.warning(tr("A course is left out: {error}.", error=escaped(tr_message(fault))))
    chosen = settings.setting("course", ALL, {ALL, *known})
    st.pills(
        tr("Course"),
        [ALL, *known],
        format_func=lambda key: tr("All lessons") if key == ALL else known[key].title,
        key="course",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    if chosen == ALL:
        return found
    course = known[chosen]
    minutes = sum(found[number].minutes for number in course.lessons)
    st.caption(
        tr(
            "{about} {count} lessons, {minutes} minutes.",
            about=course.about,
            count=len(course.lessons),
            minutes=minutes,
        )
    )
    return {number: found[number] for number in course.lessons}


def _pick(found: dict[int, Lesson]) -> int:
    """Draw the picker with its buttons, and return the number of the selected lesson."""
    numbers = list(found)
    number: int = settings.setting("lesson", numbers[0], numbers, int)
    place = numbers.index(number)
    row = st.container(horizontal=True, vertical_alignment="bottom", key="lesson_row")
    row.selectbox(
        tr("Lesson {number} of {count}", number=place + 1, count=len(numbers)),
        numbers,
        format_func=lambda one: f"{one}. {found[one].title}",
        key="lesson",
        persist_state="session",
        help=tr("Each lesson is a file. Lessons of your own: `camviz serve --lessons FOLDER`."),
    )
    for step, label, icon in (
        (-1, tr("Previous lesson"), ":material/arrow_back:"),
        (1, tr("Next lesson"), ":material/arrow_forward:"),
    ):
        at = place + step
        inside = 0 <= at < len(numbers)
        row.button(
            label,
            key="lesson.next" if step > 0 else "lesson.previous",
            icon=icon,
            disabled=not inside,
            on_click=_select,
            args=(numbers[at] if inside else number,),
        )
    return number


def _select(number: int) -> None:
    st.session_state["lesson"] = number


def _open_answer(number: int) -> None:
    st.session_state["answer"] = number


def _links(lesson: Lesson) -> None:
    for number, view in enumerate(lesson.links):
        st.button(
            tr(view.label),
            key=f"lesson.link.{number}",
            icon=":material/open_in_browser:",
            on_click=_open_later,
            args=(view,),
        )


def _open_later(view: View) -> None:
    st.session_state[OPENED] = view


def _open(view: View) -> None:
    """Open a view on its page, in this tab; settings that the view leaves out are at their default."""
    given = {"model": DEFAULT_MODEL, **DEFAULTS, **view.settings}
    if "layer" not in given:
        untrained = "random" if given["untrained"] == "1" else "default"
        given["layer"] = shared_model(given["model"], untrained, available_devices()[0]).default_layer
    settings.follow("link", given)
    st.switch_page(pages.file_of(view.page))
