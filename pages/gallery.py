"""Gallery: what does it do with many pictures?"""

import streamlit as st

from camviz.ui import album, controls, gallery, methods
from camviz.ui.language import t

experiment = controls.experiment()
st.title(t("What does it do with many?"))
st.caption(
    t(
        "One method on many pictures, with the network, the layer and the class of the sidebar. A map of one picture "
        "may be an accident; what a network looks at shows over many. Without pictures of your own, these are the "
        "samples."
    )
)
album.uploader()
method = methods.method_picker()
knobs = methods.knobs(method)
found = gallery.compute(experiment, method, knobs)
gallery.refused(found)
if found and all(tile.error for _, tile in found):
    st.info(t("None of these pictures could be explained: bring others, or choose another method."))
if any(not tile.error for _, tile in found):
    chosen = gallery.tiles(gallery.choose(found))
    if chosen is not None:
        gallery.one(chosen, method)
    with st.expander(t("All numbers in a table")):
        gallery.table(found)
    st.header(t("Take it away"))
    gallery.take_away(found, method)
    st.caption(
        t(
            "Sparseness: 0 = all places alike, near 1 = only a few. More pictures than fit here: "
            "`python -m camviz explain FOLDER --out OUT`."
        )
    )
