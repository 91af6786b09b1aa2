"""What Streamlit's own look leaves to do for every reader: contrast, narrow screens, the page's language, scrolling."""

from typing import Any

import streamlit as st

from .. import render
from . import language, state
from .components import component, read
from .language import said, t

_STYLE, _reader = read("page.css"), component("reader")


def settle() -> None:
    """Set the page's look, and tell screen readers its language; at the start of every run."""
    st.html(f"<style>{_STYLE}</style>")
    _reader(key="reader", data={"language": language.in_html(), "words": _own_words()})


def colour_map() -> str:
    """The colours in which maps are drawn, a key of render.COLOUR_MAPS, as the link and the session say."""
    return str(state.setting("colours", "cividis", render.COLOUR_MAPS))


def pick_colours(place: Any, **layout: Any) -> None:
    """The picker of `colour_map`."""
    place.selectbox(
        t("Colours"),
        render.COLOUR_MAPS,
        format_func=said,
        key="colours",
        persist_state="session",
        help=t("cividis reads the same with and without red-green deficiency."),
        **layout,
    )


def _own_words() -> dict[str, str]:
    """The words that Streamlit itself puts into its widgets, and how they are said here."""
    return {
        "Upload": t("Upload"),
        "per file": t("per file"),
        "Skip to main content": t("Skip to main content"),
        "Take Photo": t("Take Photo"),
        "Clear photo": t("Clear photo"),
        "No results": t("No results"),
    }
