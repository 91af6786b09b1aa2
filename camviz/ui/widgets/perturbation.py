"""An image at each step of a slider, above curves of its numbers; the browser changes it without the server."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ..components import component

_perturbation = component("perturbation")


@dataclass(frozen=True)
class Line:
    """A curve along the steps: its name, its heights in 0 to 1, and its values as text.

    `color` and `dash` are those of SVG; an upright line marks the step `mark`.
    """

    name: str
    heights: Sequence[float]
    texts: Sequence[str]
    color: str = "var(--st-primary-color)"
    dash: str = ""
    mark: int | None = None


# The name of a class, its probability as text and in 0 to 1, and whether it is explained.
Row = tuple[str, str, float, bool]


@dataclass(frozen=True)
class Words:
    """The texts: alt text, label of the slider, a sentence for each step; labels of the classes and of the toggle."""

    alt: str
    slider: str
    readouts: Sequence[str]
    rows: str = ""
    overlays: str = ""


def show(
    key: str,
    size: tuple[int, int],
    images: Mapping[str, str],
    lines: Sequence[Line],
    words: Words,
    first: int,
    *,
    rows: Sequence[Sequence[Row]] | None = None,
    moved: Callable[[int], None] | None = None,
) -> None:
    """Show the image of step `first`, (height, width), with a slider for the step.

    `images`: the addresses "levels" (all images, one below the other) and "overlays" (the same under heatmaps), or
    "start", "end" and "steps", the step at which each pixel changes in base64. `rows`: the best classes at each step.
    `moved(step)` is called when the slider is released; with it, the curves have a legend and a scale.
    """
    content = {
        **images,
        "height": size[0],
        "width": size[1],
        "lines": [line.__dict__ for line in lines],
        "rows": rows,
        "words": words.__dict__,
    }
    data = {
        **content,
        "key": hashlib.sha256(repr(content).encode()).hexdigest(),
        "first": first,
        "told": moved is not None,
    }

    def change() -> None:
        step: Any = st.session_state[key].get("step")
        if moved is not None and isinstance(step, int) and 0 <= step < len(lines[0].heights):
            moved(step)

    _perturbation(key=key, data=data, on_step_change=change)
