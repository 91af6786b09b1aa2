"""The page Room for a student: the current question, and its answer once the teacher shows it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from ... import edits
from ...errors import RoomEndedError
from ...stage.look import Look
from ..inputs import membership
from ..server.rooms import Question, Seat, Student, rooms
from ..server.rooms.records import LONGEST_TEXT
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..shell import room_notice
from ..widgets import drawing
from ..widgets import stage as stages
from . import results, shared_models
from .entrance import REFUSED, attempt, show_refusal

NO_REGION = edits.pack(np.zeros((edits.GRID, edits.GRID), np.bool_))
_NUMBER = "_room_region"  # in st.session_state: how many regions the browser has sent
SECONDS = 2.0  # between two runs of the page


def draw(seat: Seat) -> None:
    """Draw the room for a student."""
    _room(seat.token)


@st.fragment(run_every=SECONDS)
def _room(token: str) -> None:
    if membership.seat() is None:
        st.rerun()
    membership.be_at("room")
    try:
        found = rooms().student(token)
    except RoomEndedError as error:
        membership.forget()
        st.session_state[REFUSED] = error
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(tr("Room {code}, {name}", code=found.code, name=escaped(found.name)), width="content")
        st.button(
            tr("Leave the room"),
            key="room_leave",
            type="tertiary",
            icon=":material/logout:",
            on_click=membership.leave,
        )
    room_notice.link(found)
    show_refusal()
    shared_models.draw()
    if found.question is None:
        st.info(tr("Wait for your teacher's question. This page shows it automatically."))
    else:
        _question(token, found, found.question)


def _question(token: str, found: Student, question: Question) -> None:
    key = f"room_{found.code}_{found.number}"
    st.subheader(escaped(tr_message(question.text)), anchor=False)
    if question.tells and found.open:
        st.markdown(results.class_text(question))
    if not found.open:
        if found.own is not None and found.own.right is not None:
            (st.success if found.own.right else st.warning)(
                tr("Your answer was right.") if found.own.right else tr("Your answer was wrong.")
            )
        results.draw(f"{key}_shown", question, found.answers, found.regions, True)
        return
    left, right = st.columns([1, 1], gap="medium")
    send = partial(_send, token, found.number)
    with left:
        if question.kind == "region":
            _image_to_mark(f"{key}_region", question, str(found.own.value) if found.own else "", send)
        else:
            results.image(key, question.picture, found.with_map)
        if found.with_map:
            st.caption(tr("The heatmap shows what the prediction depends on."))
    with right:
        widget = f"{key}_answer"
        if found.own is not None and question.kind != "region" and widget not in st.session_state:
            st.session_state[widget] = found.own.value  # after a reload
        INPUTS[question.kind](widget, question, send)
        if found.own is not None:
            st.success(tr("Your answer was sent. You can change it until your teacher shows the answer."))


def _send(token: str, number: int, value: Any) -> None:
    attempt(lambda: rooms().answer(token, number, value))


def _image_to_mark(key: str, question: Question, mask: str, send: Callable[[Any], None]) -> None:
    def marked(mask: str, number: int) -> None:
        st.session_state[_NUMBER] = number
        send(mask or NO_REGION)

    picture = question.picture
    stages.stage(
        key,
        picture.jpeg,
        picture.size,
        None,
        Look(),
        tr("Image without heatmap: mark a region on it"),
        lambda _: None,
        drawing=drawing.region(mask, ("mark",), st.session_state.get(_NUMBER, 0), marked),
    )


def _region(key: str, question: Question, send: Callable[[Any], None]) -> None:
    st.caption(tr("Mark the region on the image: every stroke is sent."))


def _choice(key: str, question: Question, send: Callable[[Any], None]) -> None:
    st.radio(
        tr("Your answer"),
        question.choices,
        index=None,
        format_func=lambda one: results.choice_text(question, one),
        key=key,
        on_change=lambda: send(st.session_state[key]),
    )


def _number(key: str, question: Question, send: Callable[[Any], None]) -> None:
    st.number_input(tr("Your answer, in percent"), 0.0, 100.0, None, step=1.0, format="%g", key=key)
    _send_button(key, send)


def _sentence(key: str, question: Question, send: Callable[[Any], None]) -> None:
    st.text_area(tr("Your answer"), max_chars=LONGEST_TEXT, key=key)
    _send_button(key, send)


def _send_button(key: str, send: Callable[[Any], None]) -> None:
    st.button(tr("Send answer"), key=f"{key}_send", type="primary", on_click=lambda: send(st.session_state[key]))


INPUTS = {"region": _region, "choice": _choice, "number": _number, "sentence": _sentence}
