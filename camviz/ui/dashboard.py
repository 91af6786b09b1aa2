"""The dashboard: its navigation, what all pages share, and the current page."""

import streamlit as st

from ..errors import CamvizError
from ..runtime.installation import ASSETS
from .compare import presentation
from .session import language, settings, streamlit_internals
from .shell import experiment_row, page_style, pages, room_notice, title_line


def run() -> None:
    """Draw the current page for one visitor."""
    st.logo(ASSETS / "logo.svg", size="large")
    page, script = pages.navigate()
    with settings.run(page.path):
        settings.setting("lang", language.browser_language(), language.LANGUAGES)
        page_style.apply_page_style()
        presented = page_style.is_presented()
        title_line.draw(page)
        messages = st.container()
        with messages:
            room_notice.draw(page)
        experiment_row.draw(page)
        pages.tabs()
        if not streamlit_internals.is_guest():
            page_style.freeze_garbage()
        try:
            if presented and page.file == "compare":
                presentation.show()
            else:
                script.run()
                if presented:
                    page_style.leave_button()
        except CamvizError as error:
            st.error(language.error_text(error))
        for sentence in settings.notes():
            messages.warning(sentence)
