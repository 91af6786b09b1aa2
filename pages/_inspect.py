"""Inspect: the layers of a model, their feature maps, and the inputs that activate them.

A file named inspect.py would hide the standard library's module from the other files in its folder.
"""

import streamlit as st

from camviz.ui.inspect import (
    depth_sweep,
    feature_map_order,
    feature_maps,
    layer_choice,
    overview,
    top_images,
    visualization,
)
from camviz.ui.session import settings
from camviz.ui.session.language import tr
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages
from camviz.ui.widgets import stage

PARTS = {"maps": "Feature maps", "visualization": "Feature visualization", "depths": "Heatmaps by layer"}

experiment = layer_choice.inspected(pages.experiment())
part = settings.setting("inside", "maps", PARTS)
st.segmented_control(
    tr("Section"),
    PARTS,
    format_func=lambda part: tr(PARTS[part]),
    key="inside",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)
look = stage.look()

if part == "visualization":
    visualization.draw(experiment)
elif part == "depths":
    st.caption(tr("One method at every main layer, from the input to the output."))
    depth_sweep.draw(experiment, look.colors)
else:
    overview.strip(experiment)
    found = feature_map_order.maps_of(experiment)
    if found is not None:
        number = feature_map_order.chosen_channel(experiment, found)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            st.header(tr("Feature maps of {layer}", layer=escaped(experiment.layer)))
            feature_maps.grid(experiment, found, number, look.colors)
            layer_choice.note(experiment)
        with right:
            st.header(tr("Feature map {number}", number=number))
            response, inputs = st.columns(2)
            with response:
                feature_maps.over_image(experiment, found.maps[number], number, look)
                if feature_map_order.order(found) == "relevance":
                    feature_maps.relevance_through(experiment, number, look.colors)
            with inputs:
                synthesized = st.container()
                feature_maps.strongest_patch(experiment, found, number)
        st.header(tr("Images with the strongest response"))
        strongest = st.container()
    st.header(tr("First-layer filters"))
    overview.filters(experiment.model)
    overview.network_table(experiment)
    if found is not None:  # last, so that the rest of the page is already visible
        with synthesized:
            feature_maps.synthesized_image(experiment, number)
        with strongest:
            top_images.top_images(experiment, number)
