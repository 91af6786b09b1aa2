"""A line on which every byte takes a while, between a browser and the dashboard."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from urllib.parse import urlsplit


@contextmanager
def slow_line(address: str, seconds: float) -> Iterator[str]:
    """Yield the address of a proxy that passes everything on to `address` after that time, both ways."""
    server = (urlsplit(address).hostname, urlsplit(address).port)

    def accept() -> None:
        with suppress(OSError):  # the end of the block below closes the listener
            while True:
                browser, above = listener.accept()[0], socket.create_connection(server)
                for source, target in ((browser, above), (above, browser)):
                    _start(_carry, source, target, seconds)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        _start(accept)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def send() -> None:
        with target, suppress(OSError):
            while (entry := waiting.get())[1]:
                time.sleep(max(0.0, entry[0] - time.monotonic()))
                target.sendall(entry[1])

    _start(send)
    with suppress(OSError):
        while data := source.recv(65536):
            waiting.put((time.monotonic() + seconds, data))
    waiting.put((0.0, b""))


def _start(work: Callable[..., None], *given: object) -> None:
    threading.Thread(target=work, args=given, daemon=True).start()
