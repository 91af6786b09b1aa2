"""The part of Streamlit's protocol that tests need: messages of a browser, and the elements of a page.

The protocol is private: this fits the version that requirements.txt pins.
"""

import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

TIMEOUT = 60.0  # seconds for an answer over HTTP


class Visit:
    """The state of one session, and the elements that its page shows."""

    def __init__(self) -> None:
        self.session = ""
        self.pages: dict[str, str] = {}  # path in the URL: hash of the page's script
        self.elements: dict[tuple[int, ...], Any] = {}

    def rerun(self, page: str, link: dict[str, str], states: Sequence[WidgetState] = ()) -> bytes:
        """Write the message that runs a page with a link and states of widgets."""
        message = BackMsg()
        message.rerun_script.query_string = urlencode(link)
        message.rerun_script.page_script_hash = self.pages.get(page, "")
        message.rerun_script.widget_states.widgets.extend(states)
        return bytes(message.SerializeToString())

    def request_address(self, name: str) -> bytes:
        """Write the message that requests the upload address of a file."""
        message = BackMsg()
        message.file_urls_request.request_id = "one"
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session
        return bytes(message.SerializeToString())

    def apply(self, message: ForwardMsg) -> bool:
        """Apply one message of the server; return whether it ends the run."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session = message.new_session.initialize.session_id or self.session
            self.elements.clear()
        elif kind == "navigation":
            self.pages = {one.url_pathname: one.page_script_hash for one in message.navigation.app_pages}
        elif kind == "delta":
            place = tuple(message.metadata.delta_path)
            for below in [path for path in self.elements if path[: len(place)] == place]:
                del self.elements[below]
            self.elements[place] = message.delta.new_element
        return bool(kind == "script_finished" and message.script_finished in (0, 3))

    def shown(self) -> list[Any]:
        """Return the elements in the order of the page."""
        return [self.elements[place] for place in sorted(self.elements)]


def parse(data: Any) -> ForwardMsg:
    """Read a message of the server."""
    assert isinstance(data, bytes)
    message = ForwardMsg()
    message.ParseFromString(data)
    return message


def upload(port: int, urls: Any, widget: str, name: str, data: bytes) -> WidgetState:
    """Upload a file to the address that the server gave; return the state of the uploader that holds it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=TIMEOUT) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    put(port, urls.upload_url, name, data, {"Cookie": cookie, "X-Xsrftoken": cookie.partition("=")[2]})
    state = WidgetState(id=widget)
    state.file_uploader_state_value.uploaded_file_info.add(
        file_id=urls.file_id, name=name, size=len(data), file_urls=urls
    )
    return state


def put(port: int, url: str, name: str, data: bytes, headers: dict[str, str]) -> int:
    """Send a file to an upload address; return the status."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
    body = head + data + b"\r\n--edge--\r\n"
    more = {"Content-Type": "multipart/form-data; boundary=edge", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{url}", body, more, method="PUT")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return int(answer.status)
