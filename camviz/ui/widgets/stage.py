"""The stage on a page, its settings in the session and the link, and its cached parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import streamlit as st

from ... import encode, render
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...images import DecodedImage
from ...inspection.receptive_field import Box, receptive_field
from ...inspection.summary import blank
from ...models import Model
from ...models.geometry import Fit
from ...stage import component
from ...stage.data import stage_data, tools_data
from ...stage.look import Look, View
from ...stage.stage_map import Cells, StageMap, layer_of
from ..server.queue import compute_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import tr_message
from ..session.streamlit_internals import media_address

LONGEST = 900  # pixels of the longer side of the image that is sent

_stage = st.components.v2.component(
    "camviz_stage", html=component.HTML, css=component.CSS, js=component.SCRIPT + "export default showStage;\n"
)


@dataclass(frozen=True)
class Drawing:
    """The data by which the script of a stage allows drawing on the image; it calls `changed(name, value)`."""

    data: Mapping[str, Any]
    changed: Callable[[str, Any], None]


def map_of(e: Explanation, high: float | None = None) -> StageMap:
    """Return the heatmap of an explanation at its own resolution, on a scale from 0 to `high`, see `StageMap.of`."""
    return StageMap.of(e.attribution, high, cells_of(e.question.model, e.question.layers, e.attribution.shape))


def cells_of(model: Model, layers: tuple[str, ...], shape: tuple[int, ...]) -> Cells | None:
    """Return the cells that the values of a map of this shape belong to, if it has the resolution of one layer."""
    name = layer_of(model, layers, shape)
    return None if name is None else _measured_cells(model, name)


def receptive_field_of(model: Model, name: str, row: int, column: int) -> Box:
    """Return the receptive field of one cell of a layer as (top, left, bottom, right) in pixels of the input."""
    fields = _measured_cells(model, name).fields
    if fields is not None:
        return fields.box(row, column)
    with compute_queue().turn(lambda _: None):
        return receptive_field(model.net, blank(model), model.module(name), row, column)


def _measured_cells(model: Model, name: str) -> Cells:
    key = ("cells", model.key, name)
    found: Cells | None = result_store().get(key)
    if found is None:  # if many visitors ask at once, one of them measures, and the others find the result
        with compute_queue().turn(lambda _: None):
            found = result_store().once(key, lambda: Cells.measured(model, name))
    return found


def look() -> Look:
    """Return the look that is set in the session or the link."""
    default = Look()
    return Look(
        view=settings.setting("view", default.view, get_args(View)),
        strength=settings.setting("opacity", default.strength, settings.Span(0, 1), float),
        colors=settings.setting("colors", default.colors, render.COLOR_MAPS),
        threshold=settings.setting("threshold", default.threshold, settings.Span(0, 1), float),
    )


def keep(look: Look) -> None:
    """Keep a look that the visitor has chosen, in the session and the link."""
    st.session_state.update(view=look.view, opacity=look.strength, colors=look.colors, threshold=look.threshold)


def original(model: Model, image: DecodedImage, fit: Fit) -> bytes:
    """Return the part of the image that the model sees as a JPEG, in the original pixels."""
    return result_store().once(
        ("original", image.digest, fit, model.key),
        lambda: encode.jpeg(np.asarray(model.original_view(image, fit, LONGEST)), quality=85),
    )


def original_of(question: Question) -> bytes:
    """Return the part of a question's image that the model sees as a JPEG, edited, in the original pixels."""
    if question.edit is None:
        return original(question.model, question.image, question.fit)
    return result_store().once(
        ("original", question.image.digest, question.fit, question.model.key, question.edit.key),
        lambda: encode.jpeg(question.original_view(LONGEST), quality=85),
    )


def stage(
    key: str,
    image: bytes,
    size: tuple[int, int],
    shown: StageMap | None,
    look: Look,
    alt: str,
    changed: Callable[[Look], None] | None = None,
    *,
    group: str = "",
    name: str = "",
    peak: str = "",
    drawing: Drawing | None = None,
) -> None:
    """Show a heatmap over a JPEG; `changed(look)` is called when a gesture that changes the look has ended.

    `size` is (height, width) of the area that map and image cover. Without a map the image is shown alone. Stages of
    one `group` share pointer, zoom and look; `name` tells them apart. Without `changed` the stage is small: its tools
    appear in full screen. `peak` is what the upper end of the color bar says after its value. With `drawing` one can
    draw on the image.
    """
    address = media_address(image, "image/jpeg", key)
    more = {"group": group or key, "name": name, "peak": peak}
    data = stage_data(shown, address, size, look, alt, tr_message, **more, small=changed is None)
    if drawing is not None:
        data["edit"] = drawing.data
    _mount(key, data, changed, drawing)


def tools(
    key: str,
    look: Look,
    changed: Callable[[Look], None],
    group: str,
    relations: Mapping[str, Mapping[str, str]],
) -> None:
    """Show the tools of a group of stages, see `tools_data`."""
    _mount(key, tools_data(look, group, relations, tr_message), changed)


def _mount(
    key: str, data: dict[str, Any], changed: Callable[[Look], None] | None, drawing: Drawing | None = None
) -> None:
    def change() -> None:
        if changed is not None:
            changed(Look.parse(st.session_state[key].get("look")))

    def draw(name: str) -> None:
        if drawing is not None:
            drawing.changed(name, st.session_state[key].get(name))

    _stage(
        key=key,
        data=data,
        on_look_change=change,
        on_edit_change=partial(draw, "edit"),
        on_tried_change=partial(draw, "tried"),
        on_guess_first_change=partial(draw, "guess_first"),
    )
