"""What Streamlit's own look leaves to do for every reader: contrast, narrow screens, the page's language, scrolling."""

import streamlit as st

from . import language
from .components import component, read

_STYLE, _reader = read("page.css"), component("reader")


def settle() -> None:
    """Set the page's look, and tell screen readers its language; at the start of every run."""
    st.html(f"<style>{_STYLE}</style>")
    _reader(key="reader", data={"language": language.in_html()})
