"""The lessons as cards."""

from urllib.parse import urlencode

import streamlit as st

from ...errors import CamvizError
from ...teaching.lessons import FOLDER, Lesson, View, lessons
from ..session import language
from ..session.language import tr, tr_message
from ..session.markdown import escaped


def draw() -> None:
    """Show every lesson: question, links, and the answer, collapsed."""
    try:
        found = lessons(language=language.current())
    except CamvizError as error:
        st.error(tr("The lessons cannot be shown: {error}.", error=escaped(tr_message(error.message))))
        return
    st.caption(
        tr(
            "Each link opens a new tab with everything set. Write down your guess, then open the answer. To add "
            "a lesson, see `{file}`.",
            file=f"{FOLDER.parent.name}/{FOLDER.name}/README.md",
        )
    )
    for lesson in found:
        _card(lesson)


def address(view: View) -> str:
    """Return the address of a view, relative to any page."""
    page = "" if view.page == "explain" else view.page
    now = language.current()
    chosen = {} if now == language.of_the_browser() else {"lang": now}
    return f"./{page}?{urlencode({**view.settings, **chosen}, safe=':,')}"


def _card(lesson: Lesson) -> None:
    with st.container(border=True):
        st.header(f"{lesson.number}. {lesson.title}", anchor=False)
        st.markdown(lesson.question)
        row = st.container(horizontal=True)
        for view in lesson.views:
            row.link_button(tr(view.label), address(view), icon=":material/open_in_new:")
        with st.expander(tr("Answer")):
            st.markdown(lesson.answer)
