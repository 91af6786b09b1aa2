"""deploy/nginx.conf with the real nginx, in front of two replicas that are configured as in the container image."""

import asyncio
import contextlib
import http.client
import http.server
import re
import socket
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import websockets
from playwright.sync_api import Playwright, expect

from tests.chromium import FLAGS
from tests.deploy.replicas import Nginx, Replica
from tests.load.load import Person


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in another thread: Playwright may have an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


HANDSHAKE = (
    "GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: streamlit\r\n{more}\r\n"
)


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
    """Return the response, with its `body`; header names have _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer: Any = connection.getresponse()
        answer.body = answer.read()
        return answer
    finally:
        connection.close()


def replica_of(answer: Any) -> str:
    """Return the replica that a response's cookie names; "" if it sets none."""
    found = re.search(r"camviz_replica=(\w)", " ".join(answer.headers.get_all("Set-Cookie") or ()))
    return found[1] if found else ""


def handshake(port: int, more: str = "") -> tuple[int, socket.socket]:
    """Try to open a websocket; return the status and the socket."""
    line = socket.create_connection(("127.0.0.1", port), timeout=10)
    line.sendall(HANDSHAKE.format(more=more).encode())
    return int(line.recv(4096).split(b" ", 2)[1]), line


def upload(port: int, session: str, size: int, replica: str) -> int:
    """Upload a file of that many bytes; return the status."""
    xsrf = ask(port, "/_stcore/health", Cookie=f"camviz_replica={replica}").headers["Set-Cookie"].partition(";")[0]
    head = b'--x\r\nContent-Disposition: form-data; name="a.png"; filename="a.png"\r\n\r\n'
    answer = ask(
        port,
        f"/_stcore/upload_file/{session}/{uuid4()}",
        "PUT",
        head + bytes(size) + b"\r\n--x--\r\n",
        Content_Type="multipart/form-data; boundary=x",
        Cookie=f"camviz_replica={replica}; {xsrf}",
        X_Xsrftoken=xsrf.partition("=")[2],
    )
    return int(answer.status)


class Visitor(Person):
    """A person whose browser holds the cookie of a replica; `received` collects all messages."""

    def __init__(self, port: int, replica: str) -> None:
        super().__init__(port)
        self.replica, self.received = replica, b""

    async def __aenter__(self) -> "Visitor":
        self.socket = await websockets.connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            subprotocols=["streamlit"],
            origin=f"http://127.0.0.1:{self.port}",
            additional_headers={"Cookie": f"camviz_replica={self.replica}"},
            max_size=None,
        )
        return self

    async def _receive(self) -> Any:
        message = await super()._receive()
        self.received += message.SerializeToString()
        return message


def test_configuration_is_valid(nginx: Nginx) -> None:
    assert "[warn]" not in nginx.checked.stderr and "is successful" in nginx.checked.stderr


def test_visitor_stays_with_one_replica(nginx: Nginx, replicas: list[Replica]) -> None:
    """The page, its websocket, uploads and images work; no part of them is written to a disk."""

    async def visit() -> None:
        before = replicas[1].files()
        async with Visitor(nginx.port, "b") as visitor:
            assert [replica.visitors() for replica in replicas] == [0, 1]
            answer = await visitor.open()
            assert answer.maps and not answer.errors
            assert ask(nginx.port, answer.maps[0], Cookie="camviz_replica=b").status == 200
            assert ask(nginx.port, answer.maps[0], Cookie="camviz_replica=a").status == 404
            sizes = {5 * 2**20: 204, 10 * 2**20 - 2000: 204, 10 * 2**20 + 1: 413, 12 * 2**20: 413}
            for size, status in sizes.items():
                assert await asyncio.to_thread(upload, nginx.port, visitor.visit.session, size, "b") == status, size
            assert await asyncio.to_thread(upload, nginx.port, visitor.visit.session, 1000, "a") == 400  # unknown there
        assert replicas[1].files() == before

    run(visit())
    assert not nginx.used_a_disk


def test_cookie_selects_the_replica(nginx: Nginx, replicas: list[Replica]) -> None:
    assert {replica_of(ask(nginx.port, "/")) for _ in range(24)} == {"a", "b"}
    assert replica_of(ask(nginx.port, "/", Cookie="camviz_replica=a")) == ""  # nothing new to say
    assert replica_of(ask(nginx.port, "/", Cookie="camviz_replica=../etc")) in ("a", "b")
    ten = [handshake(nginx.port, "Cookie: other=1; camviz_replica=a\r\n") for _ in range(10)]
    assert [status for status, _ in ten] == [101] * 10
    assert [replica.visitors() for replica in replicas] == [10, 0]
    for _, line in ten:
        line.close()


def test_visitors_see_no_traceback_and_upload_no_network(nginx: Nginx) -> None:
    async def visit() -> None:
        async with Visitor(nginx.port, "b") as visitor:
            await visitor.open()
            assert b"Your own image" in visitor.received and b"Your own model" not in visitor.received
            assert b"EfficientNet-Lite2" in visitor.received and b"ResNet" not in visitor.received
            answer = await visitor.open("inspect")
            assert (
                len(answer.errors) == 1
                and b"a secret" not in visitor.received
                and b"_inspect.py" not in visitor.received
            )

    run(visit())


def test_page_works_in_chromium_under_the_headers(nginx: Nginx, chromium: str, playwright: Playwright) -> None:
    """The headers forbid nothing that the page needs; a camera is offered only on a secure address."""
    rules = "--host-resolver-rules=MAP camviz.example.org 127.0.0.1"
    browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, rules])
    for host, cameras in (("127.0.0.1", 1), ("camviz.example.org", 0)):
        context = browser.new_context()
        context.add_cookies([{"name": "camviz_replica", "value": "b", "domain": host, "path": "/"}])
        page = context.new_page()
        messages: list[str] = []
        page.on("console", lambda message, messages=messages: messages.append(message.text))
        page.goto(f"http://{host}:{nginx.port}/")
        page.locator(".stage.ready canvas.heat").wait_for(timeout=60_000)
        page.get_by_role("button", name="Your image").click()
        expect(page.get_by_test_id("stPopoverBody")).to_contain_text("10MB per file")
        expect(page.get_by_text("Turn on the camera")).to_have_count(cameras)
        assert not [text for text in messages if "Content Security Policy" in text or "Refused" in text]
    browser.close()


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "//_stcore//metrics",
        "/%5Fstcore/metrics",
        "/x/_stcore/metrics",
        "/_stcore/script-health-check",
    ],
)
def test_metrics_are_not_public(path: str, nginx: Nginx, replicas: list[Replica]) -> None:
    assert ask(replicas[0].port, "/_stcore/metrics").status == 200
    assert ask(nginx.port, path).status == 404


def test_foreign_hosts_and_origins_are_refused(nginx: Nginx, replicas: list[Replica]) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        ask(nginx.port, "/", Host="evil.example")
    assert ask(nginx.port, "/", Host="camviz.example.org").status == 200
    assert handshake(nginx.port, "Origin: https://evil.example\r\n")[0] == 403
    assert handshake(nginx.port, "Origin: https://127.0.0.1.evil.example\r\n")[0] == 403
    assert handshake(nginx.port, "Origin: https://127.0.0.1\r\n")[0] == 101
    # The request does not reach Streamlit, which would ask a host on the internet for its own address.
    assert not any("external IP" in replica.log.read_text() for replica in replicas)


def test_security_headers_and_compression(nginx: Nginx) -> None:
    page = ask(nginx.port, "/", Accept_Encoding="gzip")
    assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Server"] == "nginx"
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    plain = ask(nginx.port, "/").body.decode()
    script = re.findall(r'src="\.?(/static/js/[^"]+)"', plain)[0]
    packed = ask(nginx.port, script, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.body) < len(ask(nginx.port, script).body) / 2


class Large(http.server.BaseHTTPRequestHandler):
    """A server whose response is larger than every buffer on the way."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "20000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(bytes(20_000_000))

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def test_slow_reader_fills_no_disk(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Large) as large:
        threading.Thread(target=large.serve_forever, daemon=True).start()
        nginx = Nginx(tmp_path, large.server_port, large.server_port)
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", nginx.port))
            line.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            time.sleep(1)
            assert line.recv(12) == b"HTTP/1.1 200"
        nginx.stop()
        large.shutdown()
    assert not nginx.used_a_disk


def test_websocket_connections_are_limited(nginx: Nginx) -> None:
    """A class of sixty connects at once; forged X-Forwarded-For headers do not evade the limit."""
    tried = [handshake(nginx.port, f"X-Forwarded-For: 203.0.113.{number}\r\n") for number in range(100)]
    statuses = [status for status, _ in tried]
    assert statuses[:60] == [101] * 60 and set(statuses) == {101, 429} and statuses.count(429) >= 25
    assert ask(nginx.port, "/").status == 200
    for _, line in tried:
        line.close()


def test_uploads_are_limited(nginx: Nginx) -> None:
    statuses = [ask(nginx.port, "/_stcore/upload_file/x/y", "PUT", b"").status for _ in range(90)]
    assert set(statuses[:60]) <= {400, 403} and statuses.count(429) >= 20


def test_visitors_move_to_the_other_replica_if_one_ends(nginx: Nginx, replicas: list[Replica]) -> None:
    """Last test: new visitors get a page at once; earlier visitors move to the other replica and stay there."""
    replicas[0].process.kill()
    replicas[0].process.wait(20)
    for _ in range(12):
        fresh = ask(nginx.port, "/")
        assert fresh.status == 200 and replica_of(fresh) == "b"
    status, line = handshake(nginx.port, "Cookie: camviz_replica=a\r\n")
    assert status == 101 and replicas[1].visitors() == 1
    line.close()

    async def visit() -> None:
        async with Visitor(nginx.port, "a") as visitor:
            assert (await visitor.open()).maps

    run(visit())
