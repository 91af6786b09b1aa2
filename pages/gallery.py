"""Gallery: what does it do with many pictures?"""

import streamlit as st

from camviz.ui.gallery import tiles
from camviz.ui.inputs import gallery_input
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker

experiment = pages.experiment()
st.title(tr("What does it do with many?"))
st.caption(
    tr(
        "One method on many pictures, with the network, the layer and the class of the sidebar. A map of one picture "
        "may be an accident; what a network looks at shows over many. Without pictures of your own, these are the "
        "samples."
    )
)
gallery_input.uploader()
question, _ = method_picker.ask(experiment)
found = tiles.compute(experiment, question) if question else []
tiles.refused(found)
if question and found and all(tile.error for _, tile in found):
    st.info(tr("None of these pictures could be explained: bring others, or choose another method."))
if question and any(not tile.error for _, tile in found):
    chosen = tiles.tiles(tiles.choose(found))
    if chosen is not None:
        tiles.one(chosen, question.method)
    with st.expander(tr("All numbers in a table")):
        tiles.table(found)
    st.header(tr("Take it away"))
    tiles.take_away(found, question.method)
    st.caption(
        tr(
            "Sparseness: 0 = all places alike, near 1 = only a few. More pictures than fit here: "
            "`python -m camviz explain FOLDER --out OUT`."
        )
    )
