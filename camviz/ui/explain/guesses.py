"""Guesses at the effect of an edit, before its result is shown."""

from typing import Any

import streamlit as st

from ...messages import Message
from ..session import settings
from ..session.language import tr_message

FALLS = 0.1  # the loss of probability from which the explained class "falls"
QUESTION = Message("What will happen to the explained class?")
ANSWERS = {
    "stays": Message("It stays"),
    "falls": Message("It falls"),
    "other": Message("Another class comes first"),
}
GUESSED = {
    "stays": Message("the class stays"),
    "falls": Message("the class falls"),
    "other": Message("another class comes first"),
}


def outcome(same_class: bool, before: float, after: float) -> str:
    """Return what happened, a key of ANSWERS, from the probability of the explained class before and after."""
    if not same_class:
        return "other"
    return "falls" if before - after >= FALLS else "stays"


def ask(key: str) -> str | None:
    """Draw the question if "Guess first" is on; return the guess, "" if it is off, and None before the guess."""
    if not st.session_state.get("guess_first"):
        return ""
    settings.setting(key, None, (None, *ANSWERS))
    found: Any = st.segmented_control(
        tr_message(QUESTION), ANSWERS, format_func=lambda one: tr_message(ANSWERS[one]), key=key
    )
    return found if found in ANSWERS else None


def verdict(guess: str, happened: str) -> Message:
    """Return whether a guess was right."""
    if guess == happened:
        return Message("Your guess was right: {guess}.", guess=GUESSED[guess])
    return Message("Your guess: {guess}. What happened: {outcome}.", guess=GUESSED[guess], outcome=GUESSED[happened])


def show(guess: str, happened: str) -> None:
    """Show whether a guess was right; nothing for no guess."""
    if guess:
        st.caption(tr_message(verdict(guess, happened)))
