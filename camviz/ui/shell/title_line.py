"""The first line of every page: title, purpose, undo and redo, Share, Present, and the language."""

import socket
from io import BytesIO
from urllib.parse import urlsplit, urlunsplit

import segno
import streamlit as st

from ..components import component
from ..session import language, settings
from ..session.language import tr, tr_message
from . import tour
from .pages import Page

_history, _link = component("history"), component("link")

_HERE = ("localhost", "127.0.0.1", "::1")


def draw(page: Page) -> None:
    """Draw the line, and the actions, which wide screens show in the header."""
    with st.container(key="title_line", horizontal=True, vertical_alignment="center", gap="small"):
        st.title(tr_message(page.title), anchor=False, width="content")
        st.caption(tr_message(page.sentence))
    with st.container(key="actions", horizontal=True, vertical_alignment="center", gap="xsmall"):
        _history(key="history", data={"undo": tr("Undo"), "redo": tr("Redo")}, width="content")
        _share()
        st.button(
            tr("Present"),
            key="present_start",
            on_click=settings.choose,
            args=("present", True),
            help=tr("Show this page without its controls, for a projector. Press Esc to leave."),
        )
        tour.offer(page.path)
        with st.popover(":material/language:", key="more", help=tr("Language")):
            st.segmented_control(
                "Language / 语言",
                language.LANGUAGES,
                format_func=language.LANGUAGES.__getitem__,
                key="lang",
                required=True,
            )


@st.fragment  # opening it does not interrupt a computation
def _share() -> None:
    box = st.popover(tr("Share"), key="share", on_change="rerun")
    if not box.open:
        return
    with box:
        link = shared_address(settings.link())
        _link(
            key="link",
            data={"link": link, "label": tr("Link to this view"), "copy": tr("Copy link"), "copied": tr("Copied")},
        )
        st.image(qr_code(link), width=220, alt=tr("QR code of the link"))
        if urlsplit(settings.link()).hostname in _HERE:
            st.caption(tr("Other devices must be in the same network as this computer."))
        st.caption(tr("The link holds all settings. Images and models of your own are not part of it."))


def shared_address(link: str) -> str:
    """Return a link that other devices of the local network can open: "localhost" is replaced by an address."""
    parts = urlsplit(link)
    if parts.hostname not in _HERE or (host := _local_address()) is None:
        return link
    return urlunsplit(parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}"))


def _local_address() -> str | None:
    """Return this machine's address in its network; None if it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: nothing is sent, only the route is chosen
        except OSError:
            return None
        return str(probe.getsockname()[0])


@st.cache_data(show_spinner=False, max_entries=200)
def qr_code(link: str) -> bytes:
    """Return the QR code of a link as a PNG, dark on white with a margin, for both themes."""
    buffer = BytesIO()
    segno.make(link, error="l", micro=False).save(buffer, kind="png", scale=6, border=4)
    return buffer.getvalue()
