"""CamViz: start with `streamlit run app.py`."""

import streamlit as st

from camviz.ui import controls, slides, state

st.set_page_config("CamViz", page_icon="assets/icon.png", layout="wide", initial_sidebar_state=360)

page = st.navigation(
    [
        st.Page("pages/explain.py", title="Explain", icon=":material/visibility:", default=True),
        st.Page("pages/compare.py", title="Compare", icon=":material/grid_view:"),
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
    messages = st.container()
    if presenting:
        slides.show()
    else:
        page.run()
    for sentence in state.notes():
        messages.warning(sentence)
