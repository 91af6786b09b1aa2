"""The dashboard's web server in a thread of this process. Nothing here loads PyTorch."""

import contextlib
import operator
import os
import socket
import sys
import threading
import webbrowser
from typing import Any

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config

from ... import documentation
from ...errors import CamvizError, ServerError
from ...runtime.installation import APP
from ..session import streamlit_internals
from .front_end import Documentation, LightFrontEnd
from .live_answers import AnswerRequests
from .warm import warm

FIRST_PORT = 8501
LONGEST_START, LONGEST_STOP = 60.0, 10.0  # seconds
EVERY_ADDRESS = ("0.0.0.0", "::")


class WebServer:
    """The dashboard at a host and a port: `url` is its address on this machine, `network_url` that for others.

    `port`: None = 8501, or any free one. Raises CamvizError if it cannot be used.
    """

    def __init__(self, host: str, port: int | None) -> None:
        if not APP.is_file():
            raise ServerError(
                "the dashboard's file {file} is missing: run pip install --force-reinstall camviz", file=APP
            )
        if streamlit_internals.has_server():
            raise ServerError("this process runs a Streamlit server already: call serve from a script or a notebook")
        streamlit_internals.forget_server()
        place = bound(host, port)
        number = place.getsockname()[1]
        self.url = f"http://{_shown('localhost' if host in ('127.0.0.1', *EVERY_ADDRESS) else host)}:{number}"
        inside = streamlit_internals.network_address() if host in EVERY_ADDRESS else None
        self.network_url = f"http://{inside}:{number}" if inside else None
        streamlit_internals.expect_navigation()
        pages = Middleware(Documentation, find=documentation.site)
        app = st.App(APP, middleware=[Middleware(AnswerRequests), pages, Middleware(LightFrontEnd)])
        streamlit_internals.load_settings(APP, {"server.address": host, "server.port": number})
        settings = uvicorn.Config(
            app,
            log_level="error",
            ws_max_size=config.get_option("server.maxMessageSize") * 2**20,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, args=([place],), name="camviz", daemon=True)

    def start(self) -> None:
        """Start the server, and return when it answers. Raises CamvizError if it does not start."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(LONGEST_START / 0.05)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            waited.wait(0.05)
        raise ServerError("the dashboard's server did not start: see the error that is printed above")

    @property
    def running(self) -> bool:
        """Return whether the server runs."""
        return self._thread.is_alive()

    def open_browser(self) -> None:
        """Open the dashboard in a browser, if this machine has a screen."""
        if sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
            webbrowser.open(self.url)

    def warm(self) -> None:
        """Compute the first page in the background, so that the first visitor does not wait for PyTorch."""

        def run() -> None:
            answer = warm(self.url)
            if answer != "ok" and self.running and not self._server.should_exit:
                print(f"The first page could not be prepared: {answer}", file=sys.stderr)

        threading.Thread(target=run, name="camviz warm", daemon=True).start()

    def stop(self) -> None:
        """End the dashboard."""
        self._server.should_exit = True
        self._thread.join(LONGEST_STOP)

    def wait(self) -> None:
        """Block until the dashboard is stopped, or Ctrl-C is pressed."""
        try:
            print("Press Ctrl-C to stop the dashboard.", flush=True)
            while self.running:
                self._thread.join(0.5)
        except KeyboardInterrupt:
            self.stop()


def checked_place(host: Any, port: Any) -> int | None:
    """Return the port as a number, or None for any port. Raises CamvizError for a wrong host or port."""
    if not isinstance(host, str):
        raise CamvizError("host must be an address as text, such as '127.0.0.1'; got {host}", host=repr(host)[:60])
    if port is None:
        return None
    try:
        number = -1 if isinstance(port, bool) else operator.index(port)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << 16:
        raise CamvizError("port must be a whole number of 0 to 65535; got {port}", port=repr(port)[:60])
    return number


def bound(host: str, port: int | None) -> socket.socket:
    """Return a socket at a host and a port; None = 8501, or any free one. Raises CamvizError if it is not free."""
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name != "nt":  # on Windows it would let two servers share a port
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for candidate in (FIRST_PORT, 0) if port is None else (port,):
        with contextlib.suppress(OSError, ValueError):
            place.bind((host, candidate))
            return place
    place.close()
    if port is None:
        raise ServerError("no port of the host {host} can be used: give an address of this machine", host=host)
    raise ServerError(
        "port {port} of {host} cannot be used: choose another port, or stop the program that uses it",
        host=host,
        port=port,
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
