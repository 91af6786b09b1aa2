"""Layers: what is inside?"""

from dataclasses import replace

import streamlit as st

from camviz import render
from camviz.errors import CamvizError
from camviz.explanation import Explanation
from camviz.ui import controls, finds, grid, inside, maps, state
from camviz.ui.language import said, t
from camviz.ui.markdown import escaped

experiment = controls.experiment()
experiment = replace(experiment, layer=experiment.layer.partition(",")[0], fuse="mean")
colour_map = state.setting("colours", "cividis", render.COLOUR_MAPS)

st.title(t("What is inside?"))
inside.strip(experiment)
st.caption(
    t(
        "From the picture on the left to the class scores on the right, to scale: a bar's height is the resolution, "
        "its length the number of channels, the way between two bars the convolutions between them. Choose a layer by "
        "a click here, or in the sidebar. **Early layers see edges and colours, in small patches and fine detail; late "
        "ones see parts of objects, over much of the picture and coarsely.**"
    )
)
rows = inside.rows_of(experiment, bool(st.session_state.get("all_layers")))
count = f"{sum(row.parameters for row in rows):,}"
with st.expander(t("All {count} parameters in a table, and how far each layer sees", count=count)):
    inside.network_table(experiment, rows)

found = maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(t("Feature maps of {layer}", layer=escaped(experiment.layer)))
    st.caption(
        t(
            "A feature map is one channel of a layer: a small picture of where the network found one kind of pattern. "
            "Bright: found; dark: not found (zero or below). Each has its own scale up to its *max*; *w* is its weight "
            "for {label}: how much that score grows with the map.",
            label=escaped(maps.class_name(experiment)),
        )
    )
    number = maps.grid(experiment, found, colour_map)
    st.selectbox(
        t("Colours"),
        render.COLOUR_MAPS,
        format_func=said,
        key="colours",
        persist_state="session",
        width=220,
        help=t("cividis reads the same with and without red-green deficiency."),
    )

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
    strongest = st.container()
    slow = [(strongest, finds.nine), (right, maps.favourite)]

st.header(t("The first filters"))
inside.filters(experiment.model)

if experiment.layer:
    st.header(t("One method at every depth"))
    sweep = inside.sweep(experiment)
    status, box = st.container(), st.grid(min_column_width=150)
    places = [box.empty() for _ in sweep.columns]

    def draw(_: int, column: int, result: Explanation | CamvizError) -> None:
        """Fill one cell of the sweep."""
        with places[column].container():
            inside.draw_step(sweep, column, result, colour_map)

    with status:
        grid.run(sweep, draw)
for place, work in slow:  # last, so that the rest of the page is there meanwhile
    with place:
        work(experiment, number)
