"""CamViz: start with `streamlit run app.py`."""

import os
import sys
from pathlib import Path

import streamlit as st

from camviz.errors import CamvizError
from camviz.ui.compare import presentation
from camviz.ui.session import language, settings, streamlit_internals
from camviz.ui.session.language import tr
from camviz.ui.shell import page_style, sidebar, tour

# OpenMP reads this when torch is loaded: waiting threads of one computation soon yield to those of other visitors.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
# A computation takes the interpreter lock some hundred times and must not wait 5 ms each time.
sys.setswitchinterval(0.0005)


ICON = Path(__file__).parent / "assets" / "icon.png"
# Before the navigation: otherwise browsers fetch the icon of the first page from fonts.gstatic.com as favicon.
st.set_page_config("CamViz", page_icon=ICON, layout="wide", initial_sidebar_state=360)
page = st.navigation(
    [
        st.Page("pages/explain.py", title=tr("Explain"), icon=":material/visibility:", default=True),
        st.Page("pages/compare.py", title=tr("Compare"), icon=":material/grid_view:"),
        st.Page("pages/gallery.py", title=tr("Gallery"), icon=":material/photo_library:"),
        st.Page("pages/_inspect.py", title=tr("Inspect"), icon=":material/layers:"),
        st.Page("pages/learn.py", title=tr("Learn"), icon=":material/school:"),
        st.Page("pages/evaluate.py", title=tr("Evaluate"), icon=":material/fact_check:"),
        st.Page("pages/layers.py", visibility="hidden"),
        st.Page("pages/dream.py", visibility="hidden"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{page.title} · CamViz")
with settings.run(page.url_path):
    settings.setting("lang", language.of_the_browser(), language.LANGUAGES)
    presenting = presentation.on(page.url_path)
    page_style.apply_page_style()
    sidebar.sidebar()
    tour.offer(page.url_path)
    if not streamlit_internals.is_guest():
        page_style.freeze_garbage()
    messages = st.container()
    try:
        if presenting:
            presentation.show()
        else:
            page.run()
    except CamvizError as error:
        st.error(language.error_text(error))
    for sentence in settings.notes():
        messages.warning(sentence)
