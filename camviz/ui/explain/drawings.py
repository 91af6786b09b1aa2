"""Drawing on the image of the page Explain: the edit in the link, and the answers while a visitor draws."""

import base64
import secrets
import weakref
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ... import edits
from ...edits import Fill
from ...errors import CamvizError
from ...images import DecodedImage
from ...messages import Message
from ...models import Model
from ..inputs import image_input
from ..inputs.experiment import Experiment
from ..server.live_answers import Gone, address, live_answers
from ..server.store import result_store
from ..session import settings
from ..session.language import class_namer, current, tr, tr_message, translator
from ..widgets import drawing
from ..widgets.stage import Drawing
from . import edited, guesses, occlusion
from .edited import Edited

# In st.session_state: how many edits the browser has sent, and the id of this session in its requests.
_NUMBER, _SESSION = "_edit_number", "_edit_session"
EVERYTHING = edits.pack(np.ones((edits.GRID, edits.GRID), np.bool_))
WORDS = {
    "edit": Message("Change the image"),
    **drawing.WORDS,
    "hide": Message("Hide"),
    "keep": Message("Keep only"),
    "paste": Message("Paste"),
    "window": Message("Occlude"),
    "segment": Message("Segment"),
    "fill": Message("Replace by"),
    "image": Message("Image to paste from"),
    "guess_first": Message("Guess first"),
    "question": guesses.QUESTION,
    **guesses.ANSWERS,
    "offline": Message("The server does not answer."),
}
FILLS = {
    "blur": Message("Blur"),
    "gray": Message("Gray"),
    "mean": Message("Mean color"),
    "noise": Message("Noise"),
    "inpaint": Message("Inpainting"),
}


class _Texts:
    """The texts that an edit can have in a link: see `edits.read_text`, or none."""

    def __contains__(self, text: Any) -> bool:
        if text == "":
            return True
        try:
            edits.read_text(str(text), lambda _: None)
        except CamvizError:
            return False
        return True


def read(experiment: Experiment, shown: tuple[int, ...], chosen: int) -> tuple[Edited | None, Drawing]:
    """Return the edit of the link or the session with its answers, and the data of a stage for drawing."""
    edit = _edit()
    found = _drawing(experiment, edit, occlusion.read(experiment), shown, chosen)
    if edit is None:
        return None, found
    return Edited(edit, chosen, experiment.answers, edited.kept_answers(experiment, edit)), found


def _edit() -> edits.Edit | None:
    settings.switch("guess_first")
    text = settings.setting("edit", "", _Texts())
    settings.setting("guess", "", ("", *guesses.ANSWERS))
    if not text:
        return None
    edit = edits.read_text(text, _image)
    if edits.parts_of(text)[0] == "paste" and edit.pasted is None:
        settings.note(tr("The image that was pasted is not stored here, so the edit is left out."))
        return None
    return edit


def _drawing(
    experiment: Experiment,
    edit: edits.Edit | None,
    tried: occlusion.Windows | None,
    shown: tuple[int, ...],
    chosen: int,
) -> Drawing:
    """Return the data of a stage for drawing on the image of this experiment."""
    state, words = st.session_state, {key: tr_message(word) for key, word in WORDS.items()}
    tool, what, _ = edits.parts_of(state["edit"]) if edit else ("", "", "")
    images = {
        image.id: image.name.rpartition(".")[0] or image.name
        for image in image_input.choices().values()
        if image.id != experiment.image.id
    }
    data = {
        "address": answers_address(experiment, shown, chosen),
        "tool": tool,
        "fill": "blur" if tool in ("", "paste") else what,
        "paste": what if tool == "paste" else next(iter(images), ""),
        "cells": edits.to_bits(edits.unpack(edit.mask)) if edit else "",
        "tried": tried.data if tried else None,
        "number": state.get(_NUMBER, 0),
        "guess": state["guess"],
        "guess_first": state["guess_first"],
        "words": words,
        "fills": {key: tr_message(word) for key, word in FILLS.items()},
        "images": images,
    }
    return Drawing(data, _changed)


def _changed(name: str, value: Any) -> None:
    """Apply a change that the browser has sent; ignore a value that it cannot have sent."""
    if name == "guess_first":
        settings.choose("guess_first", value is True)
        return
    if not isinstance(value, dict):
        return
    number = value.get("number")
    before = st.session_state.get(_NUMBER, 0)  # a drawing and a window may come in one run
    st.session_state[_NUMBER] = max(before, number) if isinstance(number, int) else before
    if name == "tried":
        occlusion.keep(value)
        return
    try:
        edit = edited.read_request(value, _image) if value.get("cells") else None
    except CamvizError:  # the page cannot have sent it
        return
    what = value.get("paste") if value.get("tool") == "paste" else value.get("fill")
    settings.choose("edit", f"{value['tool']}.{what}.{edit.mask}" if edit else "")
    settings.choose("guess", value["guess"] if edit and value.get("guess") in guesses.ANSWERS else "")


def answers_address(experiment: Experiment, shown: tuple[int, ...], chosen: int) -> str:
    """Return the address at which this visitor's browser asks for the answers to an edited image."""
    session = st.session_state.setdefault(_SESSION, secrets.token_urlsafe(16))
    key = (session, experiment.key, shown, chosen, current())
    token = live_answers().offer(key, _answerer(experiment, shown, chosen))
    return f"{address(str(st.get_option('server.baseUrlPath') or ''))}/{token}"


def _answerer(
    experiment: Experiment, shown: tuple[int, ...], chosen: int
) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return the function that answers requests; it keeps neither the model nor an image alive."""
    model_of, image_of, fit = weakref.ref(experiment.model), weakref.ref(experiment.image.decoded), experiment.fit
    others = {key: weakref.ref(image.decoded) for key, image in image_input.choices().items()}
    before, key, label, say = experiment.answers, experiment.key, class_namer(), translator()[1]

    def found() -> tuple[Model, DecodedImage]:
        model, image = model_of(), image_of()
        if model is None or image is None:
            raise Gone
        return model, image

    def find_image(name: str) -> DecodedImage | None:
        return others[name]() if name in others else None

    @lru_cache(maxsize=2)
    def replaced(fill: Fill, pasted: str) -> NDArray[np.uint8]:
        """Return the view with all of its pixels replaced; the mask of a request selects a part of it."""
        model, image = found()
        everywhere = edits.Edit(EVERYTHING, fill, pasted=find_image(pasted))
        return everywhere.apply(model.view(image, fit), lambda other: model.view(other, fit))

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        model, image = found()
        view = model.view(image, fit)
        if request.get("part") == "segments":
            return {"segments": _segments(key, view)}
        if request.get("part") == "tried":
            tried = occlusion.Windows.parse(request.get("windows"))
            return {"changes": occlusion.changes(model, image, fit, chosen, tried).tolist()}
        edit = edited.read_request(request, find_image)
        if edit is None:
            after = before
        else:
            pasted = str(request["paste"]) if edit.pasted else ""
            other = edit.fill if edit.fill == "inpaint" else replaced(edit.fill, pasted)
            after = edited.answers_to(model, edits.apply(view, edit.cells, other))
        return {
            "rows": edited.rows(model, shown, chosen, before, after, label),
            "said": say(edited.summary(model, chosen, before, after)),
            "change": float(after[chosen] - before[chosen]),
        }

    return answer


def _segments(key: Any, view: NDArray[np.uint8]) -> str:
    """Return the superpixel of each cell, 56 x 56 numbers of 16 bits, in base64."""

    def make() -> str:
        height, width = view.shape[:2]
        rows, columns = (((2 * np.arange(edits.GRID) + 1) * side) // (2 * edits.GRID) for side in (height, width))
        labels = edits.segments(view)[rows[:, None], columns]
        return base64.b64encode(labels.astype("<u2").tobytes()).decode()

    return result_store().once(("segments", key), make)


def _image(name: str) -> DecodedImage | None:
    found = image_input.choices().get(name)
    return found.decoded if found else None
