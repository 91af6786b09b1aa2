"""Links of earlier versions: pages whose address has changed."""

import streamlit as st

from ..session import settings
from . import pages

_CHANNEL = ("layer", "map", "maps")  # settings that say which channel a link shows
_OPENED = "_opened"  # in st.session_state: the old links that this session has opened


def open_inspect(part: str) -> None:
    """Open a part of Inspect with the settings of the present link; for the pages Layers and Dream.

    The browser keeps the old link as a step of its own, so Back from Inspect leads here, and on from here.
    """
    experiment, link = pages.experiment(), st.query_params.to_dict()
    opened = st.session_state.setdefault(_OPENED, [])
    if link in opened:
        settings.leave_link()
        st.html("<script>history.back()</script>", unsafe_allow_javascript=True)
        return
    opened.append(link)
    if any(key in _CHANNEL or key.endswith(".channel") for key in link):
        # On those pages, what the link leaves out was the layer of the heatmaps, and channel 0.
        link = {"layer": experiment.layer, **link}
        if part == "visualization":
            link = {"activation_maximization.channel": "0", **link}
    if part != "maps":
        link = {"inside": part, **link}
    settings.follow("link", link)
    st.switch_page("pages/_inspect.py", query_params=link)
