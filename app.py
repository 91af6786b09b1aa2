"""CamViz: start with `camviz`, or in the repository with `streamlit run app.py`.

Streamlit imports this file to serve the `app` in it, and runs it as `__main__` for each change that a visitor makes.
"""

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

if __name__ == "__main__":
    # Before the navigation: otherwise browsers fetch the icon of the first page from fonts.gstatic.com as favicon.
    icon = HERE / "assets" / "icon.png"
    st.set_page_config("CamViz", page_icon=icon, layout="wide", initial_sidebar_state="collapsed")
    starting = st.empty()
    if "camviz.ui.dashboard" not in sys.modules:  # the first visits to a server that was just started
        english, chinese = "CamViz is starting: it loads PyTorch.", "CamViz 正在启动：正在载入 PyTorch。"
        starting.info(f"{english}  \n{chinese}")

    # A computation takes the interpreter lock some hundred times and must not wait 5 ms each time.
    sys.setswitchinterval(0.0005)
    from camviz.ui import dashboard

    starting.empty()
    dashboard.run()
else:
    from starlette.middleware import Middleware

    from camviz import documentation
    from camviz.ui.server.front_end import Documentation, LightFrontEnd  # load no PyTorch: the server answers before
    from camviz.ui.server.live_answers import AnswerRequests
    from camviz.ui.session import streamlit_internals

    streamlit_internals.expect_navigation()
    base = st.get_option("server.baseUrlPath")
    pages = Middleware(Documentation, find=documentation.site, base=base)
    app = st.App(__file__, middleware=[Middleware(AnswerRequests, base=base), pages, Middleware(LightFrontEnd)])
