"""The room of this visitor: the seat is held like uploads, so that a reload finds it."""

import secrets

import streamlit as st

from ...errors import RoomEndedError
from ..server.rooms import GuessLike, Seat, rooms
from . import visitor

_KIND, _BYTES = "seat", 200
_TRIES = "_room_tries"  # in st.session_state: the id under which this visitor's wrong codes are counted


def seat() -> Seat | None:
    """Return the seat of this visitor; None outside of a room."""
    found: Seat | None = visitor.uploads(_KIND).get(_KIND)
    return found


def open_room() -> None:
    """Open a room, as its teacher. Raises RoomError."""
    visitor.hold(_KIND, _KIND, rooms().open(), _BYTES)


def enter(code: str, nickname: str, invitation: str = "") -> None:
    """Enter a room, as a student. Raises RoomError."""
    tries = st.session_state.setdefault(_TRIES, secrets.token_urlsafe(16))
    visitor.hold(_KIND, _KIND, rooms().enter(code, nickname, tries, invitation), _BYTES)


def forget() -> None:
    """Forget the seat, after the room has ended or was left."""
    visitor.remove(_KIND, _KIND)


def be_at(page: str, lesson: int | None = None) -> None:
    """Report the open page of a student to the room, if there is one."""
    held = seat()
    if held is None or held.teaches:
        return
    try:
        rooms().be_at(held.token, page, lesson)
    except RoomEndedError:
        forget()


def send(guess: GuessLike) -> bool:
    """Give the room a student's guess at a question of a lesson; return whether there was a room to take it.

    A later guess of the same student at the same question replaces it. Raises RoomError if the room refuses it.
    """
    held = seat()
    if held is None or held.teaches:
        return False
    try:
        rooms().guess(held.token, guess)
    except RoomEndedError:
        forget()
        return False
    return True
