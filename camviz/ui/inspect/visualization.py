"""Feature visualization on the page Inspect: controls, the synthesized image, and what it shows."""

import streamlit as st

from ..inputs.experiment import Experiment
from ..session.language import tr, tr_message
from . import by_layer, feature_map_order, synthesis_view
from .synthesis_controls import choose, result


def draw(experiment: Experiment) -> None:
    """Draw the controls and the image that they ask for."""
    st.caption(
        tr(
            "Feature visualization: start from noise or from the image, and change it step by step until a channel, "
            "a layer or a class responds as strongly as possible."
        )
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        request = choose(experiment, lambda: _first_channel(experiment))
    with right:
        image = result(request) if request else None
        if request and image:
            synthesis_view.show(image, request)
            st.markdown(synthesis_view.reading(image, request))
            st.caption(tr("**Limitations.** {caution}", caution=synthesis_view.caution(image)))
    if request and image:
        answer, way = st.columns([2, 3], gap="large")
        with answer:
            st.header(tr("Predictions for this image"))
            synthesis_view.show_predictions(synthesis_view.predictions(image.image, request))
        with way:
            st.header(tr("Optimization progress"))
            synthesis_view.curve(image)
        st.header(tr("Download"))
        st.caption(tr_message(image.facts))
        synthesis_view.show_downloads(image, request)
    if request and request.method.key == "inversion":
        st.header(tr("Reconstructions from several layers"))
        by_layer.draw(request)


def _first_channel(experiment: Experiment) -> int:
    """Return the channel that is selected among the feature maps; 0, with a message, if there are none."""
    found = feature_map_order.maps_of(experiment)
    return 0 if found is None else feature_map_order.chosen_channel(experiment, found)
