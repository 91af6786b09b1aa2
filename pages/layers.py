"""Layers: the structure of a model, its feature maps and its filters."""

from dataclasses import replace

import streamlit as st

from camviz.ui.layers import depth_sweep, feature_maps, overview, top_images
from camviz.ui.session.language import tr
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages
from camviz.ui.widgets import stage

experiment = pages.experiment()
experiment = replace(experiment, layers=experiment.layers[:1], fusion="mean")
look = stage.look()

overview.strip(experiment)
overview.network_table(experiment)

found = feature_maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(tr("Feature maps of {layer}", layer=escaped(experiment.layer)))
    number = feature_maps.grid(experiment, found, look.colors)
    st.header(tr("Feature map {number}", number=number))
    left, middle, right = st.columns(3, gap="large")
    with left:
        st.subheader(tr("Response in the image"))
        feature_maps.over_image(experiment, found.maps[number], number, look)
    with middle:
        st.subheader(tr("Patch with the strongest response"))
        feature_maps.excited(experiment, found, number)
    right.subheader(tr("Synthesized input"))
    st.caption(
        tr(
            "**Projected back** refers to the deconvnet of Zeiler and Fergus (ECCV 2014): the strongest "
            "activation is propagated back to the pixels. It shows which structure of the patch caused this "
            "activation. It shows neither what the feature map stands for nor that the model needs it: look at "
            "several images before you name a feature map."
        )
    )
    st.subheader(tr("Images with the strongest response"))
    slow = [(st.container(), top_images.top_images), (right, feature_maps.synthesized_image)]

st.header(tr("First-layer filters"))
overview.filters(experiment.model)
if experiment.layer:
    st.header(tr("One method at every layer"))
    depth_sweep.draw(experiment, look.colors)
for place, work in slow:  # last, so that the rest of the page is already visible
    with place:
        work(experiment, number)
