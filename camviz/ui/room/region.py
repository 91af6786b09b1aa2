"""A region that a student marks on the image of a question."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from ... import edits
from ...messages import Message
from ...stage.look import Look
from ..server.rooms import Picture
from ..session.language import tr, tr_message
from ..widgets import stage as stages

_NUMBER = "_room_region"  # in st.session_state: how many regions the browser has sent
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


def draw(key: str, picture: Picture, mask: str, marked: Callable[[str], None]) -> None:
    """Show the image, so that one can mark a region; `marked(mask)` is called with it as `edits.pack` writes it."""

    def changed(name: str, value: Any) -> None:
        found = read(value) if name == "edit" else None
        if found is not None:
            st.session_state[_NUMBER] = value["number"] if isinstance(value.get("number"), int) else 0
            marked(found)

    data = {
        "tools": ["mark"],
        "first_tool": "mark",
        "tool": "mark",
        "fill": "",
        "paste": "",
        "cells": base64.b64encode(np.packbits(edits.unpack(mask)).tobytes()).decode() if mask else "",
        "number": st.session_state.get(_NUMBER, 0),
        "guess": "",
        "guess_first": False,
        "words": {name: tr_message(word) for name, word in WORDS.items()},
        "fills": {},
        "images": {},
    }
    stages.stage(
        key,
        picture.jpeg,
        picture.size,
        None,
        Look(),
        tr("Image without heatmap: mark a region on it"),
        lambda _: None,
        drawing=stages.Drawing(data, changed),
    )


def read(value: Any) -> str | None:
    """Return the packed mask that a browser has sent; None for what it cannot have sent."""
    cells = value.get("cells") if isinstance(value, Mapping) else None
    try:
        bits = np.frombuffer(base64.b64decode(cells or "", validate=True), np.uint8)
    except (TypeError, ValueError):
        return None
    if bits.size not in (0, edits.GRID**2 // 8):
        return None
    mask = np.unpackbits(bits).reshape(edits.GRID, edits.GRID) if bits.size else np.zeros((edits.GRID,) * 2)
    return edits.pack(mask)
