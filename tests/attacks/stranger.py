"""A visitor without a browser, who may send the server whatever Streamlit's protocol can hold."""

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

from tests.streamlit_client import LONGEST, Visit, parse, upload


class Stranger:
    """One session on the server at `port`; `name` is what the stranger's page calls the server, `origin` itself."""

    def __init__(self, port: int, name: str = "127.0.0.1", origin: str | None = None) -> None:
        self.port, self.visit = port, Visit()
        self.socket = connect(
            f"ws://{name}:{port}/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", port), LONGEST),
            subprotocols=["streamlit"],  # type: ignore[list-item]
            origin=origin or f"http://{name}:{port}",  # type: ignore[arg-type]
            max_size=None,
        )

    def __enter__(self) -> "Stranger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def open(self, states: Sequence[WidgetState] = (), page: str = "", **link: str) -> list[Any]:
        """Run a page with a link and states of widgets; the elements that it shows in the end."""
        self.socket.send(self.visit.rerun(page, link, states))
        return self.answer()

    def answer(self) -> list[Any]:
        """What the page shows when its run is finished."""
        while not self.visit.apply(self.receive()):
            pass
        return self.visit.shown()

    def receive(self) -> ForwardMsg:
        """The next message of the server's."""
        return parse(self.socket.recv(LONGEST))

    def clear_cache(self) -> None:
        """Empty everybody's caches, as the menu's entry would."""
        message = BackMsg()
        message.clear_cache = True
        self.socket.send(message.SerializeToString())
        time.sleep(0.02)

    def address(self, name: str) -> Any:
        """Where the server would take a file of that name."""
        self.socket.send(self.visit.request_address(name))
        while (answer := self.receive()).WhichOneof("type") != "file_urls_response":
            pass
        return answer.file_urls_response.file_urls[0]

    def upload(self, widget: str, name: str, data: bytes) -> WidgetState:
        """Bring a file; the state of the uploader that holds it."""
        return upload(self.port, self.address(name), widget, name, data)


def of(elements: Sequence[Any], kind: str) -> list[Any]:
    """The elements of a kind, as Streamlit's protocol calls it."""
    return [getattr(element, kind) for element in elements if element.WhichOneof("type") == kind]


def map_of(elements: Sequence[Any]) -> str:
    """The values of the map that Explain shows, as base64."""
    (found,) = [one for one in of(elements, "bidi_component") if one.component_name == "camviz_stage"]
    return str(json.loads(found.json)["values"])
