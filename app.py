"""CamViz: start with `streamlit run app.py`, which imports this file for its server and runs it for each visitor."""

import os
import sys
from pathlib import Path

import streamlit as st

if __name__ == "__main__":
    ICON = Path(__file__).parent / "assets" / "icon.png"
    # Before the navigation: otherwise browsers fetch the icon of the first page from fonts.gstatic.com as favicon.
    st.set_page_config("CamViz", page_icon=ICON, layout="wide", initial_sidebar_state=360)
    starting = st.empty()
    if "camviz.ui.dashboard" not in sys.modules:  # the first visits to a server that was just started
        starting.info(
            "CamViz is starting: it loads PyTorch and a network.  \nCamViz 正在启动：正在载入 PyTorch 和网络。"
        )

    # OpenMP reads this when torch is loaded: waiting threads of one computation soon yield to those of other visitors.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # A computation takes the interpreter lock some hundred times and must not wait 5 ms each time.
    sys.setswitchinterval(0.0005)
    from camviz.ui import dashboard

    starting.empty()
    dashboard.run()
else:
    from starlette.middleware import Middleware

    from front_end import LightFrontEnd

    app = st.App(__file__, middleware=[Middleware(LightFrontEnd)])
