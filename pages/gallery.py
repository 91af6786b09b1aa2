"""Gallery: one method on many images."""

import streamlit as st

from camviz.ui.gallery import tiles
from camviz.ui.inputs import gallery_input
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker

experiment = pages.experiment()
gallery_input.uploader()
question = method_picker.ask(experiment)
found = tiles.compute(experiment, question) if question else []
tiles.refused(found)
if question and found and all(tile.error for _, tile in found):
    st.info(tr("None of these images could be explained: upload others, or choose another method."))
if question and any(not tile.error for _, tile in found):
    chosen = tiles.tiles(tiles.choose(found))
    if chosen is not None:
        tiles.one(chosen, question.method)
    with st.expander(tr("Table of all numbers")):
        tiles.table(found)
    st.header(tr("Download"))
    tiles.show_downloads(found, question.method)
    st.caption(
        tr(
            "Sparseness: 0 = all places equal, near 1 = only a few places. For more images, run `python -m "
            "camviz explain FOLDER --out OUT`."
        )
    )
