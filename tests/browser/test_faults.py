"""Reload, lost connection, Cancel and closed tab in a real browser: no result is lost, nothing keeps running."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.browser.actions import private_image, remove_upload, upload
from tests.browser.waiting import computed, settled

TICK = os.sysconf("SC_CLK_TCK")
IDLE = 0.05  # of a processor, in which Streamlit waits for visitors


@pytest.fixture
def load(server_process: int) -> Callable[[float], float]:
    """Measure how many processors the server keeps busy, over some seconds."""

    def used() -> float:
        fields = Path(f"/proc/{server_process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def measure(seconds: float) -> float:
        before = used()
        time.sleep(seconds)
        return (used() - before) / seconds

    return measure


def until_idle(load: Callable[[float], float], patience: float) -> None:
    """Wait until the server is idle; fail if it keeps computing."""
    end = time.monotonic() + patience
    while (busy := load(1.0)) > IDLE:
        assert time.monotonic() < end, f"after {patience} s the server still keeps {busy:.2f} processors busy"


def test_cancel_and_a_closed_tab_stop_the_computation(
    forgetful_server: str, browser: Browser, load: Callable[[float], float]
) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{forgetful_server}/?method=score_cam&img=sample:rocket&colors=jet")
    start, left = page.get_by_role("button", name="Run Score-CAM"), page.get_by_text("s left")
    shown = page.get_by_role("group", name="Top-5 predictions: choose a class to explain")
    expect(start).to_be_visible()
    expect(shown).to_contain_text("missile")
    until_idle(load, 10)
    start.click()
    expect(left).to_be_visible()
    assert load(1.0) > IDLE  # the measurement works
    page.get_by_role("button", name="Cancel").click()
    expect(left).to_have_count(0)
    until_idle(load, 5)
    expect(start).to_be_visible()
    expect(shown).to_contain_text("missile")
    expect(page).to_have_url(re.compile("method=score_cam.*colors=jet"))
    start.click()
    expect(left).to_be_visible()
    page.context.close()
    until_idle(load, 5)


def test_reload_shows_the_result_without_computing_again(page: Page, forgetful_server: str) -> None:
    # So many passes that a computation waits for a click.
    page.goto(f"{forgetful_server}/?method=smooth_grad&img=sample:panda&smooth_grad.samples=160&opacity=0.3&colors=jet")
    start, heat = page.get_by_role("button", name="Run SmoothGrad"), page.locator(".stage canvas.heat")
    expect(start).to_be_visible()
    settled(page)
    start.click()
    computed(page, heat)
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    pixels = "canvas => canvas.toDataURL()"
    before = page.url, heat.evaluate(pixels)
    page.reload()
    expect(heat).to_be_visible()
    expect(page.get_by_role("slider", name="Strength")).to_have_value("30")
    assert (page.url, heat.evaluate(pixels)) == before
    expect(start).to_have_count(0)


def test_lost_connection_is_restored(page: Page, server: str) -> None:
    sockets: list[WebSocketRoute] = []

    def connect(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        above = socket.connect_to_server()
        socket.on_message(above.send)
        above.on_message(socket.send)
        socket.on_close(lambda code, reason: above.close())

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    page.goto(f"{server}/?method=layer_cam&colors=jet")
    expect(page.get_by_text("predicts espresso")).to_be_visible()
    upload(page, private_image(size=300))  # which the session has, and no link
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    page.locator(".bars button").nth(1).click()
    expect(page).to_have_url(re.compile("target="))
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    page.context.set_offline(True)
    sockets[-1].close(code=1011)
    page.wait_for_timeout(1000)
    page.context.set_offline(False)
    expect(page.locator("[data-test-connection-state=CONNECTED]")).to_be_visible()
    assert len(sockets) == 2
    page.locator(".bars button").nth(2).click()
    expect(page.locator(".bars button").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    expect(page).to_have_url(re.compile("img=sha.*target=.*method=layer_cam.*colors=jet"))


def test_reload_and_second_tab_keep_private_images(page: Page, server: str, browser: Browser) -> None:
    images, heat, pixels = page.locator(".gallery button"), page.locator(".stage canvas.heat"), "c => c.toDataURL()"
    page.goto(server)
    expect(images).to_have_count(12)
    earlier = page.context.new_page()  # opened before there is anything to keep
    earlier.goto(server)
    expect(earlier.locator(".gallery button")).to_have_count(12)
    assert "camviz" not in [cookie["name"] for cookie in page.context.cookies()]
    upload(page, private_image(size=300))
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    expect(heat).to_be_visible()
    settled(page)
    before = heat.evaluate(pixels)
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "camviz"]
    assert (cookie["sameSite"], cookie["path"], cookie["expires"]) == ("Strict", "/", -1)
    assert cookie["value"] not in page.url
    texts: list[str] = []
    page.expose_function("noted", lambda text: texts.append(text))
    page.add_init_script(
        "new MutationObserver(() => noted(document.body?.innerText ?? '')).observe(document, "
        "{ childList: true, subtree: true, characterData: true });"
    )
    page.reload()
    expect(page.get_by_text("predicts macaw")).to_be_visible()
    expect(images.nth(12)).to_have_attribute("aria-pressed", "true")
    settled(page)
    assert heat.evaluate(pixels) == before
    assert any("predicts macaw" in text for text in texts)
    assert not any("espresso" in text or "private image" in text for text in texts)

    upload(earlier, private_image("panda", 300))
    expect(earlier.get_by_text("predicts giant panda")).to_be_visible()
    expect(earlier.locator(".gallery button")).to_have_count(14)  # it has found the token of the first tab
    second = page.context.new_page()
    second.goto(page.url)
    expect(second.get_by_text("predicts macaw")).to_be_visible()
    expect(second.locator(".gallery button")).to_have_count(14)

    other = browser.new_context().new_page()
    other.goto(page.url)
    missing = other.get_by_text("This link refers to a private image that is not stored here.")
    expect(missing).to_be_visible()
    expect(other).not_to_have_url(re.compile("img="))
    other.locator(".gallery button").nth(4).click()
    expect(other.get_by_text("predicts koala")).to_be_visible()
    expect(missing).to_have_count(0)
    other.context.close()

    remove_upload(earlier, "Remove my panda.png")
    expect(earlier.get_by_text("predicts espresso")).to_be_visible()
    expect(earlier.locator(".gallery button")).to_have_count(13)
    remove_upload(second, "Remove this image")
    expect(second.get_by_text("predicts espresso")).to_be_visible()
    expect(second.locator(".gallery button")).to_have_count(12)
