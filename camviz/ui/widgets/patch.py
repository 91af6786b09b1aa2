"""A projected activation beside its receptive field in the image."""

import streamlit as st

from ... import encode, render
from ...explanation.explanation import Explanation
from ...inspection.receptive_field import Box, receptive_field, strongest
from ...registry import METHODS
from ..inputs.experiment import Experiment
from ..results import explanations
from ..server import queue
from ..session.language import tr
from ..session.markdown import escaped


def patch(e: Explanation, experiment: Experiment) -> None:
    """Show an activation that was projected back beside its receptive field; for a single layer only."""
    if "," in str(e.layer):
        return
    box, row, column = _patch(repr(explanations.key_of(experiment, METHODS[e.method], e.knobs)), e, experiment)
    top, left, bottom, right = box
    found, projected = st.columns(2)
    for place, picture, name in (
        (found, e.view, tr("Image patch in the receptive field")),
        (projected, render.color(e.attribution), tr("Projection in the receptive field")),
    ):
        place.image(encode.png(picture[top:bottom, left:right]), alt=name, width="stretch")
        size = tr(" ({width} x {height} pixels)", width=right - left, height=bottom - top)
        place.caption(f"{name}{size}")
    st.caption(
        tr(
            "Feature map {number} of {layer}: activation at row {row}, column {column}.",
            number=e.knobs["feature_map"],
            layer=escaped(str(e.layer)),
            row=row,
            column=column,
        )
    )


@st.cache_data(show_spinner=False, max_entries=200)
def _patch(key: str, _e: Explanation, _experiment: Experiment) -> tuple[Box, int, int]:
    model, knobs = _experiment.model, _e.knobs
    layer, x = model.module(str(_e.layer)), model.preprocess(_experiment.picture.image, _experiment.fit)
    with queue.compute_queue().turn(lambda _: None):
        row, column = strongest(model.net, x, layer, knobs["feature_map"], knobs["row"], knobs["column"])
        return receptive_field(model.net, x, layer, row, column), row, column
