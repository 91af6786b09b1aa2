"""The presentation view of Compare: one heatmap with one sentence, large and without controls."""

import numpy as np
import streamlit as st

from ... import captions, encode, render
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...registry import METHODS
from ..components import browser
from ..inputs.experiment import predict
from ..results import grid
from ..server.store import result_store
from ..session.language import tr, tr_message
from ..shell import pages
from ..widgets import stage
from . import axes


def show() -> None:
    """Show the computed cells of the grid chosen on Compare, one at a time, each image before its heatmaps."""
    with st.container(key="grid_controls"):
        chosen = axes.choose(pages.experiment())
    look = stage.look()
    done = grid.run(chosen, lambda *_: None, quick_only=True)
    slides: list[browser.Slide] = []
    several = len({question.model.key for question in chosen.questions}) > 1
    for (row, column), found in sorted(done.items()):
        if isinstance(found, Explanation):
            image = _image_slide(found.question, row, column)
            if not slides or slides[-1].base != image.base:
                slides.append(image)
            slides.append(_slide(found, row, column, look.colors, several))
    if slides:
        browser.slides(slides, look.strength, _leave)
    else:
        st.info(tr("No heatmap is computed yet: leave the presentation view, and choose or compute some."))
        st.button(tr("Leave presentation"), on_click=_leave)


def _image_slide(question: Question, row: int, column: int) -> browser.Slide:
    """Return the slide of an image alone; it belongs to the place before the first of its heatmaps."""
    first = predict(question.model, question.image, question.fit)[0]
    base = stage.original(question.model, question.image, question.fit)
    sentence = tr("The model predicts {label} ({share}).", label=tr_message(first.label), share=first.shown(0))
    return browser.Slide(question.image.name, sentence, base, None, row, column - 1)


def _slide(e: Explanation, row: int, column: int, color_map: str, several: bool) -> browser.Slide:
    """Return the slide of a heatmap; its title names the model if there are several."""
    question = e.question
    image = _image_slide(question, row, column)

    def overlay() -> bytes:
        pixels = np.asarray(question.model.original_view(question.image, question.fit, stage.LONGEST))
        heatmap = render.heatmap(e.attribution, pixels.shape[:2])
        return encode.jpeg(render.overlay(pixels, heatmap, 1.0, color_map), quality=85)

    title = f"{tr_message(METHODS[e.method].title)}: {tr_message(e.label)}"
    title += f" · {question.model.title}" if several else ""
    jpeg = result_store().once(("slide", color_map, question.key), overlay)
    first = predict(question.model, question.image, question.fit)[0]
    return browser.Slide(title, tr_message(captions.reading(e, first)), image.base, jpeg, row, column)


def _leave() -> None:
    st.session_state["present"] = False
