"""The visitor's uploads, held under a secret token that is kept in a cookie of the visitor's browser.

A reload and other tabs of the same browser find the uploads by the cookie. It is set at the first upload, when
one enters a room, and at the first guess in a lesson. It is sent to this server only, and ends with the browser's
session. Knowing an upload's id is of no use without the token.
"""

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from ..components import component
from ..server.holdings import holdings
from ..session.language import tr

TOKEN = re.compile(r"[\w-]{22}")  # 128 random bits in base64

_cookie = component("visitor")
_TOKEN = "_visitor"  # in st.session_state: the token, "" before the first upload
_SET = "_visitor_set"  # in st.session_state: whether this session made the token, so the browser must keep it


def uploads(kind: str) -> dict[str, Any]:
    """Return this visitor's uploads of a kind by id, the first upload first."""
    token = _token()
    return holdings().of(token, kind) if token else {}


def use(kind: str, key: str) -> None:
    """Count an upload as used now: when memory is full, others go first."""
    holdings().use(_token(), kind, key)


def hold(kind: str, key: str, value: Any, size: int) -> None:
    """Hold an upload of `size` bytes for this visitor."""
    if not _token():
        st.session_state[_TOKEN], st.session_state[_SET] = secrets.token_urlsafe(16), True
    holdings().put(_token(), kind, key, value, size)


def remove(kind: str, key: str) -> None:
    """Drop an upload of this visitor."""
    holdings().remove(_token(), kind, key)


def storage_text() -> str:
    """Return how long uploads are kept, for the help of an uploader."""
    return tr(
        "Kept in this server's memory and never written to disk. Only this browser can see it. It is dropped when you "
        "remove it, two hours after your last action, or earlier if the memory is full."
    )


def remember() -> None:
    """Let the browser keep the token; draw this once in every run."""
    if st.session_state.get(_SET):
        _cookie(key="visitor", data={"name": _cookie_name(), "token": _token()}, on_known_change=_adopt)


def _token() -> str:
    state = st.session_state
    if _TOKEN not in state:
        sent = st.context.cookies.get(_cookie_name(), "")
        state[_TOKEN] = sent if isinstance(sent, str) and TOKEN.fullmatch(sent) else ""
    return str(state[_TOKEN])


def _adopt() -> None:
    """Take over the token that another tab has set in the meantime."""
    known = st.session_state["visitor"].get("known")
    if isinstance(known, str) and TOKEN.fullmatch(known):
        holdings().move(_token(), known)
        st.session_state[_TOKEN] = known


def _cookie_name() -> str:
    # Browsers take a name with this prefix only over https, and from this very host.
    return "__Host-camviz" if urlsplit(st.context.url or "").scheme == "https" else "camviz"
