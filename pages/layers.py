"""Layers: what is inside?"""

from dataclasses import replace

import streamlit as st

from camviz import render
from camviz.errors import CamvizError
from camviz.explanation import Explanation
from camviz.ui import controls, grid, inside, maps, state
from camviz.ui.markdown import escaped

experiment = controls.experiment()
experiment = replace(experiment, layer=experiment.layer.partition(",")[0], fuse="mean")
colour_map = state.setting("colours", "cividis", render.COLOUR_MAPS)

st.title("What is inside?")
inside.strip(experiment)
st.caption(
    "From the picture on the left to the class scores on the right, to scale: a bar's height is the resolution, its "
    "length the number of channels, the way between two bars the convolutions between them. Choose a layer by a click "
    "here, or in the sidebar. **Early layers see edges and colours, in small patches and fine detail; late ones see "
    "parts of objects, over much of the picture and coarsely.**"
)
rows = inside.rows_of(experiment, bool(st.session_state.get("all_layers")))
with st.expander(f"All {sum(row.parameters for row in rows):,} parameters in a table, and how far each layer sees"):
    inside.network_table(experiment, rows)

found = maps.maps_of(experiment)
slow = []
if found is not None:
    st.header(f"Feature maps of {experiment.layer}")
    st.caption(
        "A feature map is one channel of a layer: a small picture of where the network found one kind of pattern. "
        "Bright: found; dark: not found (zero or below). Each has its own scale up to its *max*; *w* is its weight for "
        f"{escaped(maps.class_name(experiment))}: how much that score grows with the map."
    )
    number = maps.grid(experiment, found, colour_map)
    st.selectbox("Colours", render.COLOUR_MAPS, key="colours", persist_state="session", width=220)

    st.header(f"Feature map {number}")
    left, middle, right = st.columns(3, gap="large")
    with left:
        st.subheader("Where it is strong")
        maps.over_picture(experiment, found.maps[number], number, colour_map)
    with middle:
        st.subheader("What excites it here")
        maps.excited(experiment, found, number)
    right.subheader("Its favourite")
    st.caption(
        "**Projected back** is the deconvnet of Zeiler and Fergus (ECCV 2014): the one strongest activation is sent "
        "back through the layers to the pixels. It shows which structure of the patch fed this activation. It does not "
        "show what the map means, nor that the network would miss it: see several pictures before you name a map."
    )
    st.subheader("The pictures that excite it most")
    strongest = st.container()
    slow = [(strongest, maps.nine), (right, maps.favourite)]

st.header("The first filters")
inside.filters(experiment.model)

if experiment.layer:
    st.header("One method at every depth")
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
