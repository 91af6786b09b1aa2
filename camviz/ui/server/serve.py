"""The function `serve`: the dashboard on a network of a script or a notebook, in the same process."""

import asyncio
import html
import sys
from collections.abc import Sequence
from dataclasses import replace

from torch import nn
from torch.export import ExportedProgram

from ... import models
from ...errors import CamvizError
from ...models import Model
from ...models.class_names import ClassNames
from ...models.custom.reading import Head, Output
from ...models.load_arguments import text_of
from ...models.preprocessing import Preprocess
from ..session import streamlit_internals
from .web_server import WebServer, checked_place


class Server(WebServer):
    """A dashboard that runs in this process: `url` is its address, `stop()` ends it."""

    def __init__(self, host: str, port: int | None) -> None:
        super().__init__(host, port)
        self.names: list[str] = []
        streamlit_internals.keep_main_module()

    def offer(self, model: Model) -> None:
        """Add a model to those that the dashboard shows."""
        models.register(model)
        self.names.append(model.name)

    def stop(self) -> None:
        """End the dashboard, and forget the models that it showed."""
        global _running
        super().stop()
        while self.names:  # once, as a later dashboard may show models of these names
            models.unregister(self.names.pop())
        if _running is self:
            _running = None

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
    """Open the dashboard on your network, which is copied and never modified.

    `network` may be a Model, as `load_model` returns it; for any other one the settings are those of `load_model`. A
    second call adds a network to the same dashboard, or replaces the one of the same name. `host`: "127.0.0.1" is for
    this machine only, "0.0.0.0" for all machines that can reach it. `port`: None = 8501, or any free one. `browser`:
    open a browser. `block`: wait until Ctrl-C; None = in a script, but not in a notebook or at a prompt. Raises
    CamvizError.
    """
    global _running
    name, port = text_of(name, "name"), checked_place(host, port)
    given = (categories, preprocess, input_size, mean, std, input_channels, head, output, unit or None)
    if isinstance(network, Model):
        if any(one is not None for one in given):
            raise CamvizError("a loaded model has its settings already: give them to load_model instead of serve")
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
    server = _running if _running is not None and _running.running else Server(host, port)
    server.offer(model)
    if server is not _running:
        server.start()
        _running = server
    print(f"CamViz shows {model.name} at {server.url}")
    if browser:
        server.open_browser()
    if not _interactive() if block is None else block:
        server.wait()
    return server


def _interactive() -> bool:
    """Return whether a person can type while the dashboard runs: in a notebook, or at a prompt."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return hasattr(sys, "ps1") or bool(sys.flags.interactive)
    return True
