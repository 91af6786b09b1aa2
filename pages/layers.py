"""Layers: what is inside?"""

from dataclasses import replace

import streamlit as st

from camviz.ui.layers import depth_sweep, feature_maps, overview, top_images
from camviz.ui.session.language import t
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages
from camviz.ui.widgets import colors

experiment = pages.experiment()
experiment = replace(experiment, layer=experiment.layer.partition(",")[0], fuse="mean")
color_map = colors.color_map()

st.title(t("What is inside?"))
overview.strip(experiment)
overview.network_table(experiment)

found = feature_maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(t("Feature maps of {layer}", layer=escaped(experiment.layer)))
    number = feature_maps.grid(experiment, found, color_map)
    st.header(t("Feature map {number}", number=number))
    left, middle, right = st.columns(3, gap="large")
    with left:
        st.subheader(t("Where it is strong"))
        feature_maps.over_picture(experiment, found.maps[number], number, color_map)
    with middle:
        st.subheader(t("What excites it here"))
        feature_maps.excited(experiment, found, number)
    right.subheader(t("Its favorite"))
    st.caption(
        t(
            "**Projected back** is the deconvnet of Zeiler and Fergus (ECCV 2014): the one strongest activation is "
            "sent back through the layers to the pixels. It shows which structure of the patch fed this activation. It "
            "does not show what the map means, nor that the network would miss it: see several pictures before you "
            "name a map."
        )
    )
    st.subheader(t("The pictures that excite it most"))
    slow = [(st.container(), top_images.nine), (right, feature_maps.favorite)]

st.header(t("The first filters"))
overview.filters(experiment.model)
if experiment.layer:
    st.header(t("One method at every depth"))
    depth_sweep.draw(experiment, color_map)
for place, work in slow:  # last, so that the rest of the page is there meanwhile
    with place:
        work(experiment, number)
