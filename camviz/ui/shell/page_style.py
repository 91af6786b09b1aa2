"""What Streamlit's own look leaves to do for every reader: contrast, narrow screens, the page's language, scrolling."""

import gc

import streamlit as st

from ..components import component, read
from ..session import language
from ..session.language import tr

_STYLE, _reader = read("page.css"), component("reader")


def apply_page_style() -> None:
    """Set the page's look, and tell screen readers its language; at the start of every run."""
    st.html(f"<style>{_STYLE}</style>")
    _reader(key="reader", data={"language": language.in_html(), "words": _own_words()})


def _own_words() -> dict[str, str]:
    """The words that Streamlit itself puts into its widgets, and how they are said here."""
    return {
        "Upload": tr("Upload"),
        "per file": tr("per file"),
        "Skip to main content": tr("Skip to main content"),
        "Take Photo": tr("Take Photo"),
        "Clear photo": tr("Clear photo"),
        "No results": tr("No results"),
    }


@st.cache_resource(show_spinner=False)
def freeze_garbage() -> None:
    """Once the first page stands: leave what is there to stay out of every later garbage collection.

    Streamlit collects all garbage after every run of a page. With torch and its libraries loaded that takes 0.2 s, in
    which nobody's page can move.
    """
    gc.collect()
    gc.freeze()
