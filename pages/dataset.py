"""Dataset: one method on many images."""

import streamlit as st

from camviz.ui.dataset import downloads, tiles
from camviz.ui.inputs import dataset_input
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker

experiment = pages.experiment()
left, right = st.columns([5, 2], gap="medium")
with right:
    question = method_picker.ask(experiment)
    filters = st.container(key="filters")
    dataset_input.uploader()
with left:
    place = st.container()
    found = tiles.compute(experiment, question, place) if question else []
    tiles.refused(found)
if question and found and all(tile.error for _, tile in found):
    st.info(tr("None of these images could be explained: upload others, or choose another method."))
if question and any(not tile.error for _, tile in found):
    with filters:
        matching = tiles.choose(found)
    with place:
        chosen = tiles.tiles(matching)
    if chosen is not None:
        tiles.one(chosen, experiment, question.method)
    with st.expander(tr("Table of all numbers")):
        downloads.table(found)
    st.header(tr("Download"))
    downloads.show_downloads(found, question.method)
    st.caption(
        tr(
            "Sparseness: 0 = all places equal, near 1 = only a few places. For more images, run `python -m "
            "camviz explain FOLDER --out OUT`."
        )
    )
