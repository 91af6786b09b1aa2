"""A projected activation beside its receptive field in the image."""

import streamlit as st

from ... import encode, render
from ...explanation.explanation import Explanation
from ...inspection.receptive_field import strongest
from ..server.queue import compute_queue
from ..server.store import result_store
from ..session.language import tr
from ..session.markdown import escaped
from .stage import receptive_field_of


def patch(e: Explanation) -> None:
    """Show an activation that was projected back beside its receptive field; for a single layer only."""
    if len(e.question.layers) != 1:
        return
    (layer,) = e.question.layers
    row, column = result_store().once(("strongest", e.question.key), lambda: _strongest(e))
    top, left, bottom, right = receptive_field_of(e.question.model, layer, row, column)
    found, projected = st.columns(2)
    for place, image, name in (
        (found, e.view, tr("Image patch in the receptive field")),
        (projected, render.color(e.attribution), tr("Projection in the receptive field")),
    ):
        place.image(encode.png(image[top:bottom, left:right]), alt=name, width="stretch")
        size = tr(" ({width} × {height} pixels)", width=right - left, height=bottom - top)
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


def _strongest(e: Explanation) -> tuple[int, int]:
    question, knobs = e.question, e.knobs
    net, layer = question.model.net, question.model.module(question.layers[0])
    with compute_queue().turn(lambda _: None):
        return strongest(
            net, question.model.normalize(e.view), layer, knobs["feature_map"], knobs["row"], knobs["column"]
        )
