"""The list of models that people share in a room."""

import streamlit as st

from ..inputs import room_models
from ..session.language import tr
from ..session.markdown import escaped


def draw() -> None:
    """List the models that are shared in this visitor's room; draw nothing if there are none."""
    titles = [entry.title for entry in room_models.entries().values()]
    if titles:
        st.caption(
            tr(
                "Models shared in this room: {titles}. They are in the list of models on every page.",
                titles=escaped(", ".join(titles)),
            )
        )
