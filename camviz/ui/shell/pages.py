"""The pages, and access to the current experiment."""

from pathlib import Path

import streamlit as st

from ..inputs.experiment import Experiment
from ..session import settings

PAGES = sorted((Path(__file__).parents[3] / "pages").glob("*.py"))


def experiment() -> Experiment:
    """Return the current experiment."""
    if not settings.is_running():
        # Until st.navigation has been called once, Streamlit's older page discovery runs a linked page without
        # app.py.
        st.navigation([st.Page(page, default=page.stem == "explain") for page in PAGES], position="hidden")
        st.rerun()
    present: Experiment = st.session_state["experiment"]
    return present
