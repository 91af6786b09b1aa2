"""The room of this visitor: the seat is held like uploads, so that a reload finds it."""

import secrets

import streamlit as st

from ...errors import RoomEndedError, RoomError
from ..server.rooms import GuessLike, Seat, rooms
from . import kept_work, visitor

_KIND, _BYTES = "seat", 200
_LOST = "lost"  # beside the seat: the code of the room that has ended or removed this student
_TRIES = "_room_tries"  # in st.session_state: the id under which this visitor's wrong codes are counted


def seat() -> Seat | None:
    """Return the seat of this visitor; None outside of a room."""
    found: Seat | None = visitor.uploads(_KIND).get(_KIND)
    return found


def open_room() -> None:
    """Open a room, as its teacher, unless this browser has one open. Raises RoomError."""
    held = _held()
    if held is None or not held.teaches:
        visitor.hold(_KIND, _KIND, rooms().open(), _BYTES)


def enter(code: str, nickname: str, invitation: str = "") -> None:
    """Enter a room, as a student, and send it the guesses in lessons so far. Raises RoomError.

    A browser has one seat: it leaves an earlier one. The guesses of a student whom the teacher has removed are not sent
    again.
    """
    held = _held()
    if held is not None and held.teaches:
        raise RoomError(
            "this browser has the room {code} open as its teacher: end it first, or enter another room in a private "
            "window",
            code=held.code,
        )
    tries = st.session_state.setdefault(_TRIES, secrets.token_urlsafe(16))
    found = rooms().enter(code, nickname, tries, invitation)
    if held is not None:
        rooms().leave(held.token)
    visitor.hold(_KIND, _KIND, found, _BYTES)
    if visitor.uploads(_KIND).get(_LOST) == found.code:
        return
    for guess in kept_work.guesses().values():
        rooms().guess(found.token, guess)


def leave() -> None:
    """Leave the room, as a student."""
    held = _held()
    if held is not None:
        rooms().leave(held.token)
    visitor.remove(_KIND, _KIND)


def forget() -> None:
    """Forget the seat, after the room has ended or the teacher has removed this student."""
    held = seat()
    visitor.remove(_KIND, _KIND)
    if held is not None and not held.teaches:
        visitor.hold(_KIND, _LOST, held.code, _BYTES)


def _held() -> Seat | None:
    """Return the seat of this visitor, if its room has not ended."""
    held = seat()
    return held if held is not None and rooms().has(held.token) else None


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
