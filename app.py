"""CamViz: start with `streamlit run app.py`."""

import os
import sys

import streamlit as st

# Read when torch is loaded: threads that wait for each other in one computation give way to other visitors' soon.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
# A computation takes Python's lock some hundred times; it shall not wait 5 ms for it each time.
sys.setswitchinterval(0.0005)

from camviz.ui import cache, controls, slides, state  # noqa: E402

st.set_page_config("CamViz", page_icon="assets/icon.png", layout="wide", initial_sidebar_state=360)

page = st.navigation(
    [
        st.Page("pages/explain.py", title="Explain", icon=":material/visibility:", default=True),
        st.Page("pages/compare.py", title="Compare", icon=":material/grid_view:"),
        st.Page("pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("pages/layers.py", title="Layers", icon=":material/layers:"),
        st.Page("pages/learn.py", title="Learn", icon=":material/school:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/fact_check:"),
        st.Page("pages/dream.py", title="Dream", icon=":material/auto_awesome:"),
    ],
    position="top",
)
with state.run(page.title):
    presenting = slides.on(page.title)
    controls.sidebar()
    cache.settle()
    messages = st.container()
    if presenting:
        slides.show()
    else:
        page.run()
    for sentence in state.notes():
        messages.warning(sentence)
