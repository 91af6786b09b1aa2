"""CamViz: start with `streamlit run app.py`."""

import os
import sys
from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"
# Before the navigation: otherwise browsers fetch the icon of the first page from fonts.gstatic.com as favicon.
st.set_page_config("CamViz", page_icon=ASSETS / "icon.png", layout="wide", initial_sidebar_state="collapsed")
starting = st.empty()
if "camviz.ui.shell" not in sys.modules:  # the first visits to a server that was just started
    starting.info(
        "CamViz is starting: it loads PyTorch and the default network.  \n"
        "CamViz 正在启动：正在载入 PyTorch 和默认网络。"
    )

# OpenMP reads this when torch is loaded: waiting threads of one computation soon yield to those of other visitors.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
# A computation takes the interpreter lock some hundred times and must not wait 5 ms each time.
sys.setswitchinterval(0.0005)

from camviz.errors import CamvizError
from camviz.ui.compare import presentation
from camviz.ui.session import language, settings, streamlit_internals
from camviz.ui.shell import experiment_row, page_style, pages, title_line

st.logo(ASSETS / "logo.svg", size="large", link=None)
page, script = pages.navigate()
starting.empty()
with settings.run(page.path):
    settings.setting("lang", language.of_the_browser(), language.LANGUAGES)
    page_style.apply_page_style()
    presented = page_style.is_presented()
    title_line.draw(page)
    messages = st.container()
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
