"""A region that a student marks on the image of a lesson before its heatmap is shown."""

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ... import edits
from ...explanation.question import Question
from ...messages import Message
from ...stage.look import Look
from ..session.language import tr, tr_message
from ..widgets import stage as stages
from ..widgets.stage import Drawing

_REGIONS = "_regions"  # in st.session_state: the packed mask and how often it was sent, by lesson and prompt
Place = tuple[int, int]
WORDS = {
    "edit": Message("Mark a region"),
    "look": Message("Look"),
    "mark": Message("Mark"),
    "shape": Message("Shape"),
    "brush": Message("Brush"),
    "eraser": Message("Eraser"),
    "rectangle": Message("Rectangle"),
    "size": Message("Size"),
    "undo": Message("Undo"),
    "redo": Message("Redo"),
    "reset": Message("Reset"),
    "place": Message(
        "Rectangle at row {row}, column {column}, size {size}", row="{row}", column="{column}", size="{size}"
    ),
    "keys": Message(
        "Arrow keys: move. Shift and arrow keys: size. Space: take. Delete: give back. Ctrl+Z: undo. Esc: end."
    ),
}


def marked(place: Place) -> str:
    """Return the region that is marked now, packed; "" for none."""
    return str(_regions().get(place, ("", 0))[0])


def draw(question: Question, place: Place) -> None:
    """Show the image of a heatmap without it, so that one can mark a region."""
    size = question.model.input_size
    text, number = _regions().get(place, ("", 0))
    data = _data(text, ["look", "mark"]) | {"number": number, "first_tool": "mark"}
    stages.stage(
        f"lesson.region.{place[0]}.{place[1]}",
        stages.original_of(question),
        size,
        None,
        Look(),
        tr("Image without heatmap: mark a region on it"),
        group="lesson.region",
        drawing=Drawing(data, partial(_changed, place)),
    )


def shown(text: str) -> Drawing:
    """Return what a stage needs to show the border of a guessed region over its heatmap."""
    return Drawing(_data(text, ["look"]), lambda name, value: None)


def _data(text: str, tools: list[str]) -> dict[str, Any]:
    empty: dict[str, str] = {}
    return {
        "tools": tools,
        "tool": "mark",
        "fill": "",
        "paste": "",
        "cells": _bits(edits.unpack(text)) if text else "",
        "number": 0,
        "guess": "",
        "guess_first": False,
        "words": {key: tr_message(word) for key, word in WORDS.items()},
        "fills": empty,
        "images": empty,
    }


def _changed(place: Place, name: str, value: Any) -> None:
    """Keep what a browser has sent; what it cannot have sent is ignored."""
    if name != "edit" or not isinstance(value, Mapping):
        return
    number, cells = value.get("number"), value.get("cells")
    try:
        bits = np.frombuffer(base64.b64decode(cells or "", validate=True), np.uint8)
    except (TypeError, ValueError):
        return
    if bits.size not in (0, edits.GRID**2 // 8):
        return
    text = edits.pack(np.unpackbits(bits).reshape(edits.GRID, edits.GRID).astype(np.bool_)) if bits.any() else ""
    _regions()[place] = text, number if isinstance(number, int) else 0


def _bits(mask: NDArray[np.bool_]) -> str:
    return base64.b64encode(np.packbits(mask).tobytes()).decode()


def _regions() -> dict[Place, tuple[str, int]]:
    found: dict[Place, tuple[str, int]] = st.session_state.setdefault(_REGIONS, {})
    return found
