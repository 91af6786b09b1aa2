"""The entrance: enter a room, or open one."""

import re
from collections.abc import Callable
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ..inputs import kept_work, membership
from ..server.rooms.records import LONGEST_NAME
from ..session import settings
from ..session.language import error_text, tr

REFUSED = "_room_refused"  # in st.session_state: the error of the last click
_CODE = re.compile(r"|[A-Za-z]{4}(-[\w-]{1,30})?")


class _Codes:
    """Codes of rooms as a link holds them: ABCD, or ABCD and an invitation, or none."""

    def __contains__(self, text: Any) -> bool:
        return isinstance(text, str) and _CODE.fullmatch(text) is not None


def draw() -> None:
    """Draw the form that enters a room, and the button that opens one."""
    given = str(settings.setting("room", "", _Codes()))
    show_refusal()
    left, right = st.columns(2, gap="large")
    with left, st.form("room_enter"):
        st.subheader(tr("Enter a room"), anchor=False)
        code, _, invitation = given.partition("-")
        key = f"room_code.{given}"
        st.text_input(tr("Room code"), code.upper(), max_chars=4, key=key)
        st.text_input(
            tr("Nickname"), max_chars=LONGEST_NAME, key="room_name", help=tr("Your teacher and your class can see it.")
        )
        if kept_work.guesses():
            st.caption(tr("Your teacher sees your guesses in lessons, without your nickname."))
        st.form_submit_button(
            tr("Enter the room"),
            key="room_enter_now",
            type="primary",
            on_click=lambda: attempt(
                lambda: membership.enter(st.session_state[key], st.session_state["room_name"], invitation)
            ),
        )
    with right, st.container(border=True):
        st.subheader(tr("Open a room"), anchor=False)
        st.markdown(
            tr(
                "For teachers: ask your class questions about an image and its heatmap, and see all answers on the "
                "projector."
            )
        )
        st.button(
            tr("Open a room"),
            key="room_open",
            icon=":material/add:",
            on_click=attempt,
            args=(membership.open_room,),
        )
    st.caption(
        tr(
            "A room is kept in this server's memory only and ends after two hours, or when its teacher ends it. Its "
            "nicknames and answers are then deleted. Only people inside can see them."
        )
    )


def attempt(act: Callable[[], None]) -> None:
    """Call a function of the room, and keep its error for the page; for callbacks."""
    try:
        act()
    except CamvizError as error:
        st.session_state[REFUSED] = error
    else:
        settings.choose("room", "")


def show_refusal() -> None:
    """Show why the last click was refused."""
    if error := st.session_state.pop(REFUSED, None):
        st.error(error_text(error))
