"""What runs in the browser: of each component its markup, its look and its script, in files of its name."""

from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def component(name: str) -> Any:
    """The component of that name, `common.css` before its own style; mount it by `component(...)(key=, data=)`."""
    return st.components.v2.component(
        f"camviz_{name}",
        html=read(f"{name}.html"),
        css=read("common.css") + read(f"{name}.css"),
        js=read(f"{name}.js"),
    )


def read(file: str) -> str:
    """A file of this folder."""
    return (HERE / file).read_text()
