"""A lesson: the question on the left, its heatmaps on the right, and the answer after a click."""

import streamlit as st

from ...errors import CamvizError
from ...models import DEFAULT_MODEL, available_devices, shared_model
from ...teaching.lessons import FOLDER, Lesson, View, lessons
from ..session import language, settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from . import lesson_heatmaps

OPENED = "_lesson_view"  # in st.session_state: the view whose link was clicked
README = f"{FOLDER.parent.name}/{FOLDER.name}/README.md"
DEFAULTS = {"fit": "crop", "method": "grad_cam", "rather_than": "-1", "several": "0", "target": "-1", "untrained": "0"}


def draw() -> None:
    """Show the selected lesson below the picker of lessons."""
    if view := st.session_state.pop(OPENED, None):
        _open(view)
    try:
        found = {lesson.number: lesson for lesson in lessons(language=language.current())}
    except CamvizError as error:
        st.error(tr("The lessons cannot be shown: {error}.", error=escaped(tr_message(error.message))))
        return
    if not found:
        st.info(tr("There are no lessons. To add one, see `{file}`.", file=README))
        return
    lesson = found[_pick(found)]
    opened = settings.setting("answer", 0, {0, *found}, int) == lesson.number
    wide = len(lesson.heatmaps)
    left, right = st.columns([2, 3] if wide == 1 else [1, 2] if wide < 4 else [1, 3], gap="medium")
    with left:
        st.header(f"{lesson.number}. {lesson.title}", anchor=False)
        st.markdown(lesson.question)
        if opened:
            st.success(lesson.answer)
        st.button(
            tr("Hide the answer") if opened else tr("Show the answer"),
            key="lesson.answer",
            icon=":material/visibility_off:" if opened else ":material/visibility:",
            on_click=_open_answer,
            args=(0 if opened else lesson.number,),
        )
        if opened:
            _links(lesson)
    with right:
        try:
            lesson_heatmaps.draw(lesson, opened, _open_later)
        except CamvizError as error:
            st.error(language.error_text(error))


def _pick(found: dict[int, Lesson]) -> int:
    """Draw the picker with its buttons, and return the number of the selected lesson."""
    numbers = list(found)
    number: int = settings.setting("lesson", numbers[0], numbers, int)
    place = numbers.index(number)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    row.selectbox(
        tr("Lesson {number} of {count}", number=place + 1, count=len(numbers)),
        numbers,
        format_func=lambda one: f"{one}. {found[one].title}",
        key="lesson",
        persist_state="session",
        help=tr(
            "Each lesson is a file; to add one, see `{file}`.", file=f"{FOLDER.parent.name}/{FOLDER.name}/README.md"
        ),
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
    st.switch_page(f"pages/{view.page}.py")
