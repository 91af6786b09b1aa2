"""Pages that have another name now: links to the old name open the new page with all settings."""

import streamlit as st

from ..session import settings


def moved(name: str, target: str) -> st.Page:
    """Return a hidden page of the old name that opens the page of the file `target`."""

    def go() -> None:
        link = st.query_params.to_dict()
        settings.follow("link", link)
        st.switch_page(target, query_params=link)

    return st.Page(go, title=name, url_path=name, visibility="hidden")
