"""A visitor without a browser, who may send the server whatever Streamlit's protocol can hold."""

import json
import socket
import time
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

LONGEST = 60.0  # seconds for an answer


class Stranger:
    """One session on the server at `port`; `name` is what the stranger's page calls the server, `origin` itself."""

    def __init__(self, port: int, name: str = "127.0.0.1", origin: str | None = None) -> None:
        self.port, self.session, self.pages = port, "", {}
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
        message = BackMsg()
        message.rerun_script.query_string = urlencode(link)
        message.rerun_script.page_script_hash = self.pages.get(page, "")
        message.rerun_script.widget_states.widgets.extend(states)
        self.socket.send(message.SerializeToString())
        return self.answer()

    def answer(self) -> list[Any]:
        """What the page shows when its run is finished."""
        elements: dict[tuple[int, ...], Any] = {}
        while True:
            got = self.receive()
            kind = got.WhichOneof("type")
            if kind == "new_session":
                self.session = got.new_session.initialize.session_id or self.session
                elements.clear()
            elif kind == "navigation":
                self.pages = {one.url_pathname: one.page_script_hash for one in got.navigation.app_pages}
            elif kind == "delta":
                place = tuple(got.metadata.delta_path)
                for below in [path for path in elements if path[: len(place)] == place]:
                    del elements[below]
                elements[place] = got.delta.new_element
            elif kind == "script_finished" and got.script_finished in (0, 3):
                return [elements[place] for place in sorted(elements)]

    def receive(self) -> ForwardMsg:
        """The next message of the server's."""
        message = ForwardMsg()
        data = self.socket.recv(LONGEST)
        assert isinstance(data, bytes)
        message.ParseFromString(data)
        return message

    def clear_cache(self) -> None:
        """Empty everybody's caches, as the menu's entry would."""
        message = BackMsg()
        message.clear_cache = True
        self.socket.send(message.SerializeToString())
        time.sleep(0.02)

    def address(self, name: str) -> Any:
        """Where the server would take a file of that name."""
        message = BackMsg()
        message.file_urls_request.request_id = "one"
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session
        self.socket.send(message.SerializeToString())
        while (answer := self.receive()).WhichOneof("type") != "file_urls_response":
            pass
        return answer.file_urls_response.file_urls[0]

    def upload(self, widget: str, name: str, data: bytes) -> WidgetState:
        """Bring a file; the state of the uploader that holds it."""
        urls = self.address(name)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=LONGEST) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        put(self.port, urls.upload_url, name, data, {"Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2]})
        state = WidgetState(id=widget)
        state.file_uploader_state_value.uploaded_file_info.add(
            file_id=urls.file_id, name=name, size=len(data), file_urls=urls
        )
        return state


def put(port: int, url: str, name: str, data: bytes, headers: dict[str, str]) -> int:
    """Send a file to an address of the server's; its status."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
    body = head + data + b"\r\n--edge--\r\n"
    more = {"Content-Type": "multipart/form-data; boundary=edge", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{url}", body, more, method="PUT")
    with urllib.request.urlopen(request, timeout=LONGEST) as answer:
        return int(answer.status)


def of(elements: Sequence[Any], kind: str) -> list[Any]:
    """The elements of a kind, as Streamlit's protocol calls it."""
    return [getattr(element, kind) for element in elements if element.WhichOneof("type") == kind]


def map_of(elements: Sequence[Any]) -> str:
    """The map that Explain shows, as a data URI."""
    (found,) = [one for one in of(elements, "bidi_component") if one.component_name == "camviz_overlay"]
    return str(json.loads(found.json)["heat"])
