"""A client without a browser, which can send the server any message of Streamlit's protocol."""

import json
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

from tests.streamlit_client import TIMEOUT, Visit, parse, upload


class WebSocketClient:
    """One session on the server at `port`; `name` is the host that the client's page names, `origin` its own."""

    def __init__(self, port: int, name: str = "127.0.0.1", origin: str | None = None) -> None:
        self.port, self.visit = port, Visit()
        self.socket = connect(
            f"ws://{name}:{port}/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", port), TIMEOUT),
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=origin or f"http://{name}:{port}",  # type: ignore[arg-type]
            max_size=None,
        )

    def __enter__(self) -> "WebSocketClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def open(self, states: Sequence[WidgetState] = (), page: str = "", **link: str) -> list[Any]:
        """Run a page with a link and widget states; return the elements that it shows."""
        self.socket.send(self.visit.rerun(page, link, states))
        return self.answer()

    def answer(self) -> list[Any]:
        """Wait for the end of the run; return the elements that the page shows."""
        while not self.visit.apply(self.receive()):
            pass
        return self.visit.shown()

    def receive(self) -> ForwardMsg:
        """Return the server's next message."""
        return parse(self.socket.recv(TIMEOUT))

    def clear_cache(self) -> None:
        """Clear all caches, as the menu entry does."""
        message = BackMsg()
        message.clear_cache = True
        self.socket.send(message.SerializeToString())
        time.sleep(0.02)

    def address(self, name: str) -> Any:
        """Ask the server for the upload address of a file."""
        self.socket.send(self.visit.request_address(name))
        while (answer := self.receive()).WhichOneof("type") != "file_urls_response":
            pass
        return answer.file_urls_response.file_urls[0]

    def upload(self, widget: str, name: str, data: bytes) -> WidgetState:
        """Upload a file; return the state of the uploader that holds it."""
        return upload(self.port, self.address(name), widget, name, data)


def of_kind(elements: Sequence[Any], kind: str) -> list[Any]:
    """Return the elements of a kind, as Streamlit's protocol names it."""
    return [getattr(element, kind) for element in elements if element.WhichOneof("type") == kind]


def shown_map(elements: Sequence[Any]) -> str:
    """Return the values of the map that Explain shows, as base64."""
    (found,) = [one for one in of_kind(elements, "bidi_component") if one.component_name == "camviz_stage"]
    return str(json.loads(found.json)["values"])
