"""The notice of a teacher on every page of a student: a question was asked, or a link is to be opened."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st

from ...errors import CamvizError, RoomEndedError
from ...messages import Message
from ...runtime.installation import PAGES as FOLDER
from ..inputs import membership
from ..server.rooms import Student, rooms
from ..session.language import tr, tr_message
from .pages import PAGES, Page, go

SECONDS = 3.0  # between two runs of the notice
_FOLLOWED = "_room_followed"  # in st.session_state: code of the room and number of the link that was opened last
_CLICKED = "_room_clicked"  # in st.session_state: the link that was clicked, "" for the page Room
NO_LINK = Message(
    "'{text}' is no link to a page of this dashboard: copy one from Share, such as compare?columns=methods"
)


def read_link(text: str) -> tuple[Page, dict[str, str]]:
    """Return the page and the settings of a link, whatever server it names. Raises CamvizError for any other text."""
    parts = urlsplit(text.strip())
    path = parts.path.rstrip("/").rpartition("/")[2]
    page = next((page for page in PAGES if path in (page.path, page.file)), None)
    if page is None or page.file == "room" or not (path or parts.query or parts.netloc):
        raise CamvizError(NO_LINK.template, text=text[:60])
    return page, dict(parse_qsl(parts.query))


def short_link(page: Page, settings: Mapping[str, str]) -> str:
    """Return a link without the server's name, as `read_link` reads it."""
    return f"/{page.path or page.file}" + (f"?{urlencode(settings)}" if settings else "")


def draw(page: Page) -> None:
    """Draw the notice for a student; nothing for other visitors, and on the page Room, which shows it itself."""
    held = membership.seat()
    if held is not None and not held.teaches and page.file != "room":
        _notice(held.token, page.file)


@st.fragment(run_every=SECONDS)
def _notice(token: str, file: str) -> None:
    in_lessons = file == "learn" and st.session_state.get("part", "lessons") == "lessons"
    lesson = st.session_state.get("lesson") if in_lessons else None
    membership.be_at(file, lesson if isinstance(lesson, int) else None)
    try:
        found = rooms().student(token)
    except RoomEndedError:
        membership.forget()
        return
    clicked = link(found)
    if found.open and found.own is None:
        with st.container(horizontal=True, vertical_alignment="center", key="room_asks"):
            st.markdown(tr("Your teacher asks a question."))
            st.button(tr("Answer the question"), key="room_answer", type="primary", on_click=_go_next, args=("",))
            if clicked == "":
                st.switch_page(FOLDER / "room.py")


def link(found: Student) -> str | None:
    """Draw the button that opens the link of a teacher, until it was used; return the link that was clicked.

    A click counts only in the run that follows it: the question or the link may be another one in a later run.
    """
    clicked: str | None = st.session_state.pop(_CLICKED, None)
    number = found.code, found.link_number
    if not found.link or st.session_state.get(_FOLLOWED) == number:
        return clicked
    page, given = read_link(found.link)
    with st.container(horizontal=True, vertical_alignment="center", key="room_link"):
        st.markdown(tr("Your teacher shows a view of the page {page}.", page=tr_message(page.title)))
        st.button(
            tr("Open the page"),
            key="room_follow",
            icon=":material/open_in_browser:",
            type="primary",
            on_click=_go_next,
            args=(found.link,),
        )
        if clicked == found.link:
            st.session_state[_FOLLOWED] = number
            go(page.file, given)
    return clicked


def _go_next(link: str) -> None:
    st.session_state[_CLICKED] = link
