"""The lessons as cards."""

from urllib.parse import urlencode

import streamlit as st

from ..errors import CamvizError
from ..lessons import FOLDER, Lesson, View, lessons


def draw() -> None:
    """Every lesson: its question, the links that set everything, and the answer, hidden."""
    try:
        found = lessons()
    except CamvizError as error:
        st.error(f"The lessons cannot be shown: {error}.")
        return
    st.caption(
        "Each link opens in a new tab with everything set. Think before you unfold the answer. "
        f"To add one of your own, see `{FOLDER.parent.name}/{FOLDER.name}/README.md`."
    )
    for lesson in found:
        _card(lesson)


def address(view: View) -> str:
    """The address of a view, relative to any page."""
    page = "" if view.page == "explain" else view.page
    return f"./{page}?{urlencode(view.settings, safe=':,')}"


def _card(lesson: Lesson) -> None:
    with st.container(border=True):
        st.subheader(f"{lesson.number}. {lesson.title}", anchor=False)
        st.markdown(lesson.question)
        row = st.container(horizontal=True)
        for view in lesson.views:
            row.link_button(view.label, address(view), icon=":material/open_in_new:")
        with st.expander("Answer"):
            st.markdown(lesson.answer)
