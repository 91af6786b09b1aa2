"""Layers: what is inside?"""

from dataclasses import replace

import streamlit as st

from camviz.ui import controls, finds, inside, looks, maps, sweep
from camviz.ui.language import t
from camviz.ui.markdown import escaped

experiment = controls.experiment()
experiment = replace(experiment, layer=experiment.layer.partition(",")[0], fuse="mean")
colour_map = looks.colour_map()

st.title(t("What is inside?"))
inside.strip(experiment)
inside.network_table(experiment)

found = maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(t("Feature maps of {layer}", layer=escaped(experiment.layer)))
    number = maps.grid(experiment, found, colour_map)
    st.header(t("Feature map {number}", number=number))
    left, middle, right = st.columns(3, gap="large")
    with left:
        st.subheader(t("Where it is strong"))
        maps.over_picture(experiment, found.maps[number], number, colour_map)
    with middle:
        st.subheader(t("What excites it here"))
        maps.excited(experiment, found, number)
    right.subheader(t("Its favourite"))
    st.caption(
        t(
            "**Projected back** is the deconvnet of Zeiler and Fergus (ECCV 2014): the one strongest activation is "
            "sent back through the layers to the pixels. It shows which structure of the patch fed this activation. It "
            "does not show what the map means, nor that the network would miss it: see several pictures before you "
            "name a map."
        )
    )
    st.subheader(t("The pictures that excite it most"))
    slow = [(st.container(), finds.nine), (right, maps.favourite)]

st.header(t("The first filters"))
inside.filters(experiment.model)
if experiment.layer:
    st.header(t("One method at every depth"))
    sweep.draw(experiment, colour_map)
for place, work in slow:  # last, so that the rest of the page is there meanwhile
    with place:
        work(experiment, number)
