"""Components that run in the browser: markup, style and script of each in files of its name."""

from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def component(name: str) -> Any:
    """Return the component of that name, with `common.css` and `common.js` before its own style and script.

    Call it with `key` and `data`.
    """
    return st.components.v2.component(
        f"camviz_{name}",
        html=read(f"{name}.html"),
        css=read("common.css") + read(f"{name}.css"),
        js=read("common.js") + read(f"{name}.js"),
    )


def read(file: str) -> str:
    """Return the text of a file in this folder."""
    return (HERE / file).read_text(encoding="utf-8")
