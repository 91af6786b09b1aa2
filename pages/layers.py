"""Layers: what is inside?"""

from dataclasses import replace

import streamlit as st

from camviz.ui.layers import depth_sweep, feature_maps, overview, top_images
from camviz.ui.session.language import tr
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages
from camviz.ui.widgets import colors

experiment = pages.experiment()
experiment = replace(experiment, layers=experiment.layers[:1], fusion="mean")
color_map = colors.color_map()

st.title(tr("What is inside?"))
overview.strip(experiment)
overview.network_table(experiment)

found = feature_maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(tr("Feature maps of {layer}", layer=escaped(experiment.layer)))
    number = feature_maps.grid(experiment, found, color_map)
    st.header(tr("Feature map {number}", number=number))
    left, middle, right = st.columns(3, gap="large")
    with left:
        st.subheader(tr("Where it is strong"))
        feature_maps.over_picture(experiment, found.maps[number], number, color_map)
    with middle:
        st.subheader(tr("What excites it here"))
        feature_maps.excited(experiment, found, number)
    right.subheader(tr("Its favorite"))
    st.caption(
        tr(
            "**Projected back** is the deconvnet of Zeiler and Fergus (ECCV 2014): the one strongest activation is "
            "sent back through the layers to the pixels. It shows which structure of the patch fed this activation. It "
            "does not show what the map means, nor that the network would miss it: see several pictures before you "
            "name a map."
        )
    )
    st.subheader(tr("The pictures that excite it most"))
    slow = [(st.container(), top_images.top_images), (right, feature_maps.favorite)]

st.header(tr("The first filters"))
overview.filters(experiment.model)
if experiment.layer:
    st.header(tr("One method at every depth"))
    depth_sweep.draw(experiment, color_map)
for place, work in slow:  # last, so that the rest of the page is there meanwhile
    with place:
        work(experiment, number)
