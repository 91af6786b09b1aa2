"""Drawing on a stage: the texts of its tools, and regions that a visitor marks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ... import edits
from ...errors import CamvizError
from ...messages import Message
from ..session.language import tr_message
from .stage import Drawing

WORDS = {
    "look": Message("View"),
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
        "Arrow keys: move. Shift and arrow keys: resize. Space: add. Delete: remove. Ctrl+Z: undo. Esc: stop drawing."
    ),
}
REGION_WORDS = {**WORDS, "edit": Message("Mark a region"), "mark": Message("Mark")}


def region(
    mask: str, tools: Sequence[str], number: int = 0, marked: Callable[[str, int], None] = lambda *_: None
) -> Drawing:
    """Return the drawing by which a visitor marks a region, or looks at one.

    `mask`: the region as `edits.pack` writes it, "" for none. `tools`: "look" and "mark", or one of them. `number`: the
    number of regions that the browser has sent; the next one calls `marked(mask, number)`.
    """

    def changed(name: str, value: Any) -> None:
        found = read_region(value) if name == "edit" else None
        if found is not None:
            sent = value.get("number")
            marked(found, sent if isinstance(sent, int) else 0)

    data: dict[str, Any] = {
        "tools": list(tools),
        "first_tool": tools[-1],
        "tool": "mark",
        "fill": "",
        "paste": "",
        "cells": edits.to_bits(edits.unpack(mask)) if mask else "",
        "number": number,
        "guess": "",
        "guess_first": False,
        "words": {key: tr_message(word) for key, word in REGION_WORDS.items()},
        "fills": {},
        "images": {},
    }
    return Drawing(data, changed)


def read_region(value: Any) -> str | None:
    """Return the region that a browser has sent, packed, "" for an empty one; None for an impossible value."""
    cells = value.get("cells") if isinstance(value, Mapping) else None
    if cells == "":
        return ""
    try:
        mask = edits.from_bits(cells)
    except CamvizError:
        return None
    return edits.pack(mask) if mask.any() else ""
