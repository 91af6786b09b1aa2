"""The address of a view in a real browser: Back restores the view before, and a slow line changes nothing."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.waiting import settled

RATE = 1_000_000  # bytes in a second of a slow line: the answer to a click takes 0.2 s


@pytest.fixture
def slow_server(server: str) -> Iterator[str]:
    """The address of the dashboard at the end of a slow line."""
    there = int(server.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as door:

        def carry(source: socket.socket, target: socket.socket, rate: float) -> None:
            try:
                while data := source.recv(16384):
                    time.sleep(len(data) / rate)
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:  # the browser has gone
                return

        def serve() -> None:
            while True:
                try:
                    near, _ = door.accept()
                except OSError:
                    return
                far = socket.create_connection(("127.0.0.1", there))
                threading.Thread(target=carry, args=(near, far, 1e9), daemon=True).start()
                threading.Thread(target=carry, args=(far, near, RATE), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


def test_back_restores_the_view_before(page: Page, server: str) -> None:
    page.goto(f"{server}/?img=sample:panda")
    expect(page.locator("img[alt^='panda.jpg, as the model']")).to_be_visible()
    for name in ("koala", "coffee"):
        page.locator(f".gallery button[title={name}]").click()
        expect(page.locator(f"img[alt^='{name}.jpg, as the model']")).to_be_visible()
        settled(page)
    page.locator(".bars button").nth(2).click()
    expect(page.locator(".bars button").nth(2)).to_have_attribute("aria-pressed", "true")
    settled(page)
    page.go_back()
    expect(page.locator(".bars button").first).to_have_attribute("aria-pressed", "true")
    for name in ("koala", "panda"):
        page.go_back()
        expect(page.locator(f"img[alt^='{name}.jpg, as the model']")).to_be_visible()
        expect(page).to_have_url(f"{server}/?img=sample%3A{name}")


def test_the_last_of_quick_clicks_wins_on_a_slow_line(page: Page, slow_server: str) -> None:
    page.goto(slow_server)
    expect(page.locator("img[alt^='coffee.jpg, as the model']")).to_be_visible(timeout=40_000)
    for name in ("panda", "koala", "macaw", "coffee", "panda", "koala"):
        page.locator(f".gallery button[title={name}]").click()
        page.wait_for_timeout(250)
    page.wait_for_timeout(3000)
    settled(page)
    expect(page.locator("img[alt^='koala.jpg, as the model']")).to_be_visible()
