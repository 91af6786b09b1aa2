"""The presentation view of Compare: one heatmap with one sentence, large and without controls."""

import numpy as np
import streamlit as st

from ... import captions, encode, render
from ...errors import CamvizError, message_of
from ...explanation.explanation import Explanation
from ...registry import METHODS
from ..components import browser
from ..inputs.experiment import predict
from ..results import grid
from ..session import settings
from ..session.language import tr, tr_message
from ..shell import pages
from ..widgets import colors
from . import axes


def show() -> None:
    """Show the cells of the grid chosen on Compare, one at a time."""
    with st.container(key="chosen_before"):
        chosen = axes.choose(pages.experiment())
    color_map = colors.color_map()
    opacity = settings.setting("opacity", 0.8, settings.Span(0, 1), float)
    done = grid.run(chosen, lambda *_: None)
    slides = [
        [_slide(chosen, row, column, done.get((row, column)), color_map) for column in range(len(chosen.columns))]
        for row in range(len(chosen.rows))
    ]
    if slides and slides[0]:
        browser.slides(slides, opacity, _leave)
    else:
        st.info(tr("No heatmap is selected: leave the presentation view, and choose rows and columns."))
        st.button(tr("Leave"), on_click=_leave)


def _slide(
    chosen: grid.Grid, row: int, column: int, found: Explanation | CamvizError | None, color_map: str
) -> browser.Slide:
    title = chosen.name(row, column)
    cell = chosen.cells[row][column]
    if not isinstance(found, Explanation) or isinstance(cell, CamvizError):
        text = f"{tr_message(message_of(found))}." if found else tr("Not computed yet.")
        return browser.Slide(title, text, None, None)
    first = predict(cell.model, cell.image, cell.fit)[0]
    pixels = np.asarray(cell.model.original_view(cell.image, cell.fit))
    over = render.overlay(pixels, render.heatmap(found.attribution, pixels.shape[:2]), 1.0, color_map)
    base, heat = encode.jpeg(pixels), encode.jpeg(over)
    return browser.Slide(
        f"{tr_message(METHODS[found.method].title)}: {tr_message(found.label)}",
        tr_message(captions.reading(found, first)),
        base,
        heat,
    )


def _leave() -> None:
    st.session_state["present"] = False
