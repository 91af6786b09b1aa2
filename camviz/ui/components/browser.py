"""Small components that run in the browser; no user text reaches their HTML."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from ..session.language import tr
from ..session.streamlit_internals import media_address
from . import component

Id = TypeVar("Id", int, str)

_gallery, _bars = component("gallery"), component("bars")
_strip, _tiles, _slides = component("strip"), component("tiles"), component("slides")


@dataclass(frozen=True)
class Slide:
    """One slide of a presentation: title, sentence, image and overlay (None without) as JPEGs, row and column."""

    title: str
    sentence: str
    base: bytes
    overlay: bytes | None
    row: int
    column: int


def slides(shown: Sequence[Slide], strength: float, left: Callable[[], None]) -> None:
    """Show slides, one at a time, without a server run. Esc calls `left()`."""

    def source(jpeg: bytes | None, place: str) -> str:
        return media_address(jpeg, "image/jpeg", f"slides.{place}") if jpeg else ""

    data = [
        {
            "title": slide.title,
            "sentence": slide.sentence,
            "row": slide.row,
            "column": slide.column,
            "base": source(slide.base, f"{number}.base"),
            "heat": source(slide.overlay, f"{number}.heat"),
        }
        for number, slide in enumerate(shown)
    ]
    words = {
        "before": tr("Previous"),
        "next": tr("Next"),
        "leave": tr("Leave presentation"),
        "strength_label": tr("Strength"),
    }
    _slides(key="slides", data={"slides": data, "strength": strength, **words}, on_left_change=left)


def gallery(label: str, items: Sequence[tuple[str, str, bytes]], chosen: str, picked: Callable[[str], None]) -> None:
    """Show thumbnails (id, label, JPEG) as buttons; a click calls `picked(id)`."""
    shown = [{"id": key, "label": name, "src": _source(jpeg)} for key, name, jpeg in items]
    _mount(_gallery, "gallery", {"label": label, "items": shown, "chosen": chosen}, picked)


def bars(
    label: str,
    rows: Sequence[Mapping[str, Any]],
    picked: Callable[[int], None],
    listens: str = "",
    key: str = "bars",
) -> None:
    """Show rows of {id, label, value, share, chosen} as bars that are buttons; a click calls `picked(id)`.

    A row with `before`, the share without an edit, and `change` shows both. `listens` is the address of the answers to
    a drawing on a stage, which move the bars.
    """
    data = {"label": label, "rows": list(rows), "tooltip": tr("Explain this class"), "listens": listens}
    _mount(_bars, key, data, picked)


def strip(label: str, steps: Sequence[dict[str, Any]], picked: Callable[[str], None]) -> None:
    """Draw a network to scale: steps of {name, label, left, length, height, layer, chosen}, sizes in parts of 1.

    A click on a layer calls `picked(name)`.
    """
    _mount(_strip, "strip", {"label": label, "steps": list(steps)}, picked)


def tiles(
    label: str,
    items: Sequence[tuple[Id, str, str, bytes]],
    chosen: Id,
    picked: Callable[[Id], None],
    width: int = 104,
    gaps: int = 0,
    key: str = "tiles",
) -> None:
    """Show a grid of images (id, alt text, caption, JPEG) as buttons, at least `width` pixels wide, then empty places.

    A click calls `picked(id)`.
    """
    shown = [{"id": name, "label": alt, "caption": text, "src": _source(jpeg)} for name, alt, text, jpeg in items]
    _mount(_tiles, key, {"label": label, "items": shown, "chosen": chosen, "width": width, "gaps": gaps}, picked)


def _mount(component: Any, key: str, data: dict[str, Any], picked: Callable[[Any], None]) -> None:
    drawn = [one.get("id", one.get("name")) for kind in ("items", "rows", "steps") for one in data.get(kind, ())]

    def change() -> None:
        value = st.session_state[key].get("picked")
        if value in drawn:  # a client other than the browser may send anything
            picked(value)

    component(key=key, data=data, on_picked_change=change)


def _source(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
