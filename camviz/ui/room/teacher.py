"""The page Room for a teacher: how to enter the room, what to ask, and the answers of the class."""

import streamlit as st

from ...errors import RoomEndedError
from ..inputs import membership
from ..server.rooms import Seat, Wall, rooms
from ..session import settings
from ..session.language import tr
from ..shell import room_notice
from . import asking, wall
from .entrance import REFUSED, attempt, show_refusal


def draw(seat: Seat) -> None:
    """Draw the room for its teacher."""
    try:
        found = rooms().wall(seat.token)
    except RoomEndedError as error:
        membership.forget()
        st.session_state[REFUSED] = error
        st.rerun()
    show_refusal()
    if settings.switch("present"):  # for the projector
        wall.draw(seat.token)
        return
    left, right = st.columns([2, 5], gap="medium")
    with left:
        place = st.container()
        with st.expander(tr("Ask a question"), expanded=True, key="room_ask_box"):
            asking.draw(seat)
        with st.expander(tr("Send everybody to a page"), key="room_link_box"):
            _link(seat, found)
        st.button(tr("End the room"), key="room_end", icon=":material/close:", on_click=_end, args=(seat.token,))
    with right:
        wall.draw(seat.token)
    found = rooms().wall(seat.token)  # with the question that was asked in this run
    if found.question is not None:
        with place:
            wall.door(found, "room_code", 130)


def _link(seat: Seat, found: Wall) -> None:
    """Draw the form that sends the class to a page."""
    text = st.text_input(
        tr("Link"), key="room_link_text", help=tr("A link to a page of this dashboard, as Share copies it.")
    )
    with st.container(horizontal=True):
        st.button(
            tr("Show this link"),
            key="room_link_send",
            disabled=not text,
            on_click=attempt,
            args=(lambda: rooms().send_to(seat.token, room_notice.short_link(*room_notice.read_link(text))),),
        )
        if found.link:
            st.button(tr("Remove the link"), key="room_link_clear", on_click=rooms().send_to, args=(seat.token, ""))
    if found.link:
        st.caption(tr("Everybody sees a button that opens `{link}`.", link=found.link.replace("`", "")[:120]))


def _end(token: str) -> None:
    attempt(lambda: rooms().end(token))
    membership.forget()
