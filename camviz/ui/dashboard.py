"""The dashboard: its navigation, what all pages share, and the current page."""

import streamlit as st

from ..errors import CamvizError
from .compare import presentation
from .session import language, settings, streamlit_internals
from .session.language import tr
from .shell import page_style, sidebar, tour


def run() -> None:
    """Draw the current page for one visitor."""
    page = st.navigation(
        [
            st.Page("pages/explain.py", title=tr("Explain"), icon=":material/visibility:", default=True),
            st.Page("pages/compare.py", title=tr("Compare"), icon=":material/grid_view:"),
            st.Page("pages/gallery.py", title=tr("Gallery"), icon=":material/photo_library:"),
            st.Page("pages/layers.py", title=tr("Layers"), icon=":material/layers:"),
            st.Page("pages/learn.py", title=tr("Learn"), icon=":material/school:"),
            st.Page("pages/evaluate.py", title=tr("Evaluate"), icon=":material/fact_check:"),
            st.Page("pages/dream.py", title=tr("Dream"), icon=":material/auto_awesome:"),
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
