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
                _start(_join, listener.accept()[0], socket.create_connection(server), seconds)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        _start(accept)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _join(browser: socket.socket, server: socket.socket, seconds: float) -> None:
    with browser, server:  # closed when nobody reads them any more: their numbers are given to later connections
        for thread in [_start(_carry, *way, seconds) for way in ((browser, server), (server, browser))]:
            thread.join()


def _carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def send() -> None:
        with suppress(OSError):
            while (entry := waiting.get())[1]:
                time.sleep(max(0.0, entry[0] - time.monotonic()))
                target.sendall(entry[1])
            target.shutdown(socket.SHUT_WR)

    sender = _start(send)
    with suppress(OSError):
        while data := source.recv(65536):
            waiting.put((time.monotonic() + seconds, data))
    waiting.put((0.0, b""))
    sender.join()


def _start(work: Callable[..., None], *given: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=given, daemon=True)
    thread.start()
    return thread
