"""A projected activation beside its receptive field in the image."""

import streamlit as st

from ... import encode, render
from ...explanation.explanation import Explanation
from ...inspection.receptive_field import Box, receptive_field, strongest
from ..server.queue import compute_queue
from ..server.store import result_store
from ..session.language import tr
from ..session.markdown import escaped


def patch(e: Explanation) -> None:
    """Show an activation that was projected back beside its receptive field; for a single layer only."""
    if len(e.question.layers) != 1:
        return
    (layer,) = e.question.layers
    box, row, column = result_store().once(("patch", e.question.key), lambda: _patch(e))
    top, left, bottom, right = box
    found, projected = st.columns(2)
    for place, image, name in (
        (found, e.view, tr("Image patch in the receptive field")),
        (projected, render.color(e.attribution), tr("Projection in the receptive field")),
    ):
        place.image(encode.png(image[top:bottom, left:right]), alt=name, width="stretch")
        size = tr(" ({width} x {height} pixels)", width=right - left, height=bottom - top)
        place.caption(f"{name}{size}")
    st.caption(
        tr(
            "Feature map {number} of {layer}: activation at row {row}, column {column}.",
            number=e.knobs["feature_map"],
            layer=escaped(layer),
            row=row,
            column=column,
        )
    )


def _patch(e: Explanation) -> tuple[Box, int, int]:
    question, knobs = e.question, e.knobs
    net, layer = question.model.net, question.model.module(question.layers[0])
    x = question.model.normalize(e.view)
    with compute_queue().turn(lambda _: None):
        row, column = strongest(net, x, layer, knobs["feature_map"], knobs["row"], knobs["column"])
        return receptive_field(net, x, layer, row, column), row, column
