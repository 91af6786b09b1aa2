"""Links to a page by its former name."""

import streamlit as st

from ..session import settings
from . import pages


def open_page(page: str) -> None:
    """Open the page of this file with the settings of the present link."""
    pages.experiment()
    link = st.query_params.to_dict()
    settings.follow("link", link)
    st.switch_page(page, query_params=link)
