"""serve: the dashboard on a network that lives in a script or a notebook, in the same process."""

import asyncio
import contextlib
import html
import operator
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from streamlit import config
from torch import nn
from torch.export import ExportedProgram

from ... import documentation, models
from ...errors import CamvizError, ServerError
from ...models import Model
from ...models.class_names import ClassNames
from ...models.custom.reading import Head, Output
from ...models.load_arguments import text_of
from ...models.preprocessing import Preprocess
from ..session import streamlit_internals
from .front_end import Documentation

APP = Path(__file__).parents[3] / "app.py"
FIRST_PORT = 8501
LONGEST_START, LONGEST_STOP = 60.0, 10.0  # seconds


class Server:
    """A dashboard that runs in this process: `url` is where, `stop()` ends it."""

    def __init__(self, place: socket.socket) -> None:
        self.names: list[str] = []
        host, port = place.getsockname()[:2]
        self.url = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{port}"
        settings = uvicorn.Config(
            st.App(APP, middleware=[Middleware(Documentation, find=documentation.site)]),
            log_level="error",
            ws_max_size=config.get_option("server.maxMessageSize") * 2**20,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, args=([place],), name="camviz", daemon=True)

    def start(self) -> None:
        """Begin to answer; returns when it does. Raises CamvizError where it can't."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(LONGEST_START / 0.05)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            waited.wait(0.05)
        raise ServerError("the dashboard's server did not start; its reason stands above")

    def offer(self, model: Model) -> None:
        """Show this model too."""
        models.register(model)
        self.names.append(model.name)

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the dashboard, and forget the models that it showed."""
        global _running
        self._server.should_exit = True
        self._thread.join(LONGEST_STOP)
        for name in self.names:
            models.unregister(name)
        streamlit_internals.forget_server()
        _running = None

    def wait(self) -> None:
        """Block until somebody stops it, or Ctrl-C is pressed; says so."""
        try:
            print("Ctrl-C ends it.")
            while self.running:
                self._thread.join(0.5)
        except KeyboardInterrupt:
            self.stop()

    def __repr__(self) -> str:
        return f"<dashboard of {', '.join(self.names)} at {self.url}>" if self.running else "<dashboard, stopped>"

    def _repr_html_(self) -> str:
        if not self.running:
            return "<p>This dashboard was stopped.</p>"
        return f'<p><a href="{self.url}" target="_blank">{html.escape(self.url)}</a></p>'


_running: Server | None = None


def serve(
    network: nn.Module | ExportedProgram | Model,
    /,
    *,
    name: str | None = None,
    categories: ClassNames | None = None,
    preprocess: Preprocess | None = None,
    input_size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    input_channels: Sequence[str] | None = None,
    head: Head | None = None,
    output: Output | None = None,
    unit: str = "",
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    block: bool | None = None,
) -> Server:
    """Open the dashboard on a network of your own; it is copied as it is now, and never touched.

    What says how it sees an image is as in `load_model`; what load_model returns will do too. A second call shows
    one more network on the same dashboard, or in place of the one of the same name. `host`: "127.0.0.1" is for this
    machine only, "0.0.0.0" for whoever can reach it. `port`: None = 8501, or any free one. `browser`: open one.
    `block`: wait until Ctrl-C; None = in a script, but not in a notebook or at a prompt. Raises CamvizError.
    """
    global _running
    name, port = text_of(name, "name"), _checked_place(host, port)
    given = (categories, preprocess, input_size, mean, std, input_channels, head, output, unit or None)
    if isinstance(network, Model):
        if any(one is not None for one in given):
            raise CamvizError("a loaded model says itself how it sees an image; give these settings to load_model")
        model = replace(network, name=name or network.name, title=name or network.title)
    else:
        model = models.load_model(
            network,
            name=name,
            categories=categories,
            preprocess=preprocess,
            input_size=input_size,
            mean=mean,
            std=std,
            input_channels=input_channels,
            head=head,
            output=output,
            unit=unit,
        )
    server = _running if _running is not None and _running.running else _new(host, port)
    server.offer(model)
    if server is not _running:
        server.start()
        _running = server
    print(f"CamViz shows {model.name} at {server.url}")
    if browser and (sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        webbrowser.open(server.url)
    if not _interactive() if block is None else block:
        server.wait()
    return server


def _new(host: str, port: int | None) -> Server:
    if not APP.is_file():
        raise ServerError(
            "the dashboard's {file} is not there: install CamViz from its folder, pip install -e .", file=APP
        )
    if streamlit_internals.has_server():
        raise ServerError("this process runs a Streamlit server already: call serve from a script or a notebook")
    place = _bound(host, port)
    streamlit_internals.keep_main_module()
    return Server(place)


def _checked_place(host: Any, port: Any) -> int | None:
    """Return the port as a number, None if any will do. Raises CamvizError for what is no host or no port."""
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


def _bound(host: str, port: int | None) -> socket.socket:
    place = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for candidate in (FIRST_PORT, 0) if port is None else (port,):
        with contextlib.suppress(OSError, ValueError):
            place.bind((host, candidate))
            return place
    place.close()
    raise ServerError("{host}, port {port} is not free for a server", host=host, port=port or "any")


def _interactive() -> bool:
    """Whether somebody can go on typing while the dashboard runs: a notebook, or a prompt."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return hasattr(sys, "ps1") or bool(sys.flags.interactive)
    return True
