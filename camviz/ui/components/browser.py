"""Small components that run in the browser; no user text reaches their HTML."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ..session.language import tr
from . import component

_gallery, _bars = component("gallery"), component("bars")
_strip, _tiles, _slides = component("strip"), component("tiles"), component("slides")


@dataclass(frozen=True)
class Slide:
    """One slide of a presentation: title, sentence, and the image and heatmap as JPEGs, or None."""

    title: str
    sentence: str
    base: bytes | None
    heat: bytes | None


def slides(rows: Sequence[Sequence[Slide]], opacity: float, left: Callable[[], None]) -> None:
    """Show slides by row and column, one at a time, without the server. Esc calls `left()`."""
    shown = [
        [
            {
                "title": slide.title,
                "sentence": slide.sentence,
                "base": _source(slide.base) if slide.base else "",
                "heat": _source(slide.heat) if slide.heat else "",
            }
            for slide in row
        ]
        for row in rows
    ]
    words = {"before": tr("Previous"), "next": tr("Next"), "leave": tr("Leave"), "opacity_label": tr("Opacity")}
    _slides(key="slides", data={"slides": shown, "opacity": opacity, **words}, on_left_change=left)


def gallery(label: str, items: Sequence[tuple[str, str, bytes]], chosen: str, picked: Callable[[str], None]) -> None:
    """Show thumbnails (id, label, JPEG) as buttons; a click calls `picked(id)`."""
    shown = [{"id": key, "label": name, "src": _source(jpeg)} for key, name, jpeg in items]
    _mount(_gallery, "gallery", {"label": label, "items": shown, "chosen": chosen}, picked)


def bars(label: str, rows: Sequence[dict[str, Any]], picked: Callable[[int], None]) -> None:
    """Show rows of {id, label, value, share, chosen} as bars that are buttons; a click calls `picked(id)`."""
    _mount(_bars, "bars", {"label": label, "rows": list(rows), "tooltip": tr("Explain this class")}, picked)


def strip(label: str, steps: Sequence[dict[str, Any]], picked: Callable[[str], None]) -> None:
    """Draw a network to scale: steps of {name, label, left, length, height, layer, chosen}, sizes in parts of 1.

    A click on a layer calls `picked(name)`.
    """
    _mount(_strip, "strip", {"label": label, "steps": list(steps)}, picked)


def tiles(
    label: str,
    items: Sequence[tuple[int, str, str, bytes]],
    chosen: int,
    picked: Callable[[int], None],
    width: int = 104,
) -> None:
    """Show a grid of images (id, alt text, caption, JPEG) as buttons, at least `width` pixels wide.

    A click calls `picked(id)`.
    """
    shown = [{"id": key, "label": alt, "caption": text, "src": _source(jpeg)} for key, alt, text, jpeg in items]
    _mount(_tiles, "tiles", {"label": label, "items": shown, "chosen": chosen, "width": width}, picked)


def _mount(component: Any, key: str, data: dict[str, Any], picked: Callable[[Any], None]) -> None:
    drawn = [one.get("id", one.get("name")) for kind in ("items", "rows", "steps") for one in data.get(kind, ())]

    def change() -> None:
        value = st.session_state[key].get("picked")
        if value in drawn:  # a client other than the browser may send anything
            picked(value)

    component(key=key, data=data, on_picked_change=change)


def _source(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
