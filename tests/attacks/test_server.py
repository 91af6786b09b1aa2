"""A real server and hostile clients: foreign origins and hosts, hostile text, cleared caches, disabled uploads."""

import os
import random
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import InvalidStatus

import camviz
from camviz.stage.stage_map import StageMap
from camviz.ui.server import queue
from tests.attacks.websocket_client import WebSocketClient, of_kind, shown_map
from tests.browser.conftest import _wait_until_healthy
from tests.streamlit_client import put

ROOT = Path(__file__).parents[2]
LABELS = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>",
    "![x](http://evil.example/x.png) http://evil.example www.evil.example",
    "[link](javascript:window.pwned=1) $x^2$ :material/home: :red[x] `c` **b**",
)
FILE = "![x](http:%2F%2Fevil.example%2Fx.png) <img src=x onerror=window.pwned=1> [l](javascript:window.pwned=1).png"
OPERATOR = '[[model]]\nname = "birds"\ntitle = "{title}"\narchitecture = "squeezenet1_1"\n'
OPERATOR += 'weights = "birds.pth"\ncategories = "names.txt"\n'


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's file, with the default setting for uploads."""
    folder = tmp_path_factory.mktemp("operator")
    torch.manual_seed(0)
    torch.save(tv.squeezenet1_1(num_classes=3).state_dict(), folder / "birds.pth")
    (folder / "names.txt").write_text("\n".join(LABELS))
    file = folder / "camviz.toml"
    file.write_text(OPERATOR.format(title="![t](http://evil.example/t.png)"))
    return file


@pytest.fixture(scope="module")
def port(operator: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = (operator.parent / "log").open("w")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = {**os.environ, "CAMVIZ_CONFIG": str(operator), "TORCH_HOME": str(operator.parent)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", process, operator.parent / "log")
        yield port
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(20)


def encoded_map(sample: str, method: str, **knobs: Any) -> str:
    """Compute a map of the embedded network here, encoded as Explain shows it."""
    e = camviz.explain("efficientnet_lite0", ROOT / "assets" / "samples" / f"{sample}.jpg", method, **knobs)
    return StageMap.of(e.attribution).encoded


def refusal_status(port: int, **more: str) -> int:
    with pytest.raises(InvalidStatus) as answer:
        WebSocketClient(port, **more)
    return answer.value.response.status_code


def test_foreign_origin_is_refused(port: int) -> None:
    for origin in (
        "http://evil.example",
        f"http://evil.example:{port}",
        "null",
        f"http://localhost.evil.example:{port}",
    ):
        assert refusal_status(port, origin=origin) == 403


def offers_upload(elements: list[Any]) -> bool:
    """Return whether the sidebar offers to upload a network."""
    return any(uploader.label == "Weights" for uploader in of_kind(elements, "file_uploader"))


def test_foreign_host_gets_no_upload_of_networks(port: int) -> None:
    """DNS rebinding: a foreign name resolves to this machine, so Streamlit takes it for the same origin."""
    with WebSocketClient(port) as here:
        assert offers_upload(here.open())
    with WebSocketClient(port, "localhost.evil.example") as visitor:
        elements = visitor.open()
        assert shown_map(elements) and not offers_upload(elements)


def test_upload_needs_the_page_s_token(port: int) -> None:
    with WebSocketClient(port) as visitor:
        visitor.open()
        url = visitor.address("x.png").upload_url
    for headers in ({}, {"X-Xsrftoken": "x"}, {"Cookie": "_streamlit_xsrf=x"}, {"Origin": "http://evil.example"}):
        with pytest.raises(urllib.error.HTTPError) as answer:
            put(port, url, "x.png", b"x", headers)
        assert answer.value.code == 403


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/../../../etc/passwd",
            "/..%2f..%2f..%2fetc%2fpasswd",
            "/media/..%2f..%2fetc%2fpasswd",
            "/app/static/../app.py",
        ),
        *("/component/x/..%2f..%2fetc%2fpasswd", "/.streamlit/config.toml", "/camviz/ui/state.py", "/static/%00"),
    ],
)
def test_no_path_serves_a_file_of_the_server(port: int, path: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    status, body = int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]
    assert status in (400, 403, 404) or b"<title>Streamlit</title>" in body
    assert not any(inside in body for inside in (b"root:", b"maxUploadSize", b"import streamlit"))


def test_invalid_messages_end_only_the_sender_s_session(port: int) -> None:
    rng = random.Random(0)
    with WebSocketClient(port) as other:
        before = shown_map(other.open(img="sample:cat"))
        for _ in range(20):
            with WebSocketClient(port) as visitor:
                visitor.socket.send(rng.randbytes(rng.randint(1, 3000)))
        assert shown_map(other.open(img="sample:cat")) == before == encoded_map("cat", "grad_cam")


def test_invalid_widget_states_are_ignored(port: int) -> None:
    """Send widget states of other types and out of range; the page is still drawn."""
    with WebSocketClient(port) as visitor:
        elements = visitor.open(method="smooth_grad")
        ids = {kind: [one.id for one in of_kind(elements, kind)] for kind in ("slider", "selectbox", "bidi_component")}
        assert ids["slider"] and ids["selectbox"]
        states = [WidgetState(id=key, string_value="<script>") for key in ids["selectbox"]]
        for key in ids["slider"]:
            state = WidgetState(id=key)
            state.double_array_value.data.append(1e300)
            states.append(state)
        states += [
            WidgetState(id=key, json_value='{"picked": ["x"], "opacity": {"a": 1e999}}')
            for key in ids["bidi_component"]
        ]
        elements = visitor.open(states)
        assert shown_map(elements) and not of_kind(elements, "exception")


def test_disabled_uploads_are_refused(port: int, operator: Path) -> None:
    text = operator.read_text()
    content = (operator.parent / "birds.pth").read_bytes()

    def upload_network() -> list[str]:
        """Send everything that a browser sends to upload a network, whether or not the page offers it."""
        with WebSocketClient(port) as visitor:
            visitor.open()
            states = [visitor.upload(keys["Weights"], "mine.pth", content)]
            states.append(WidgetState(id=keys["Architecture"], string_value="squeezenet1_1"))
            visitor.open(states)
            elements = visitor.open([*states, WidgetState(id=keys["Use this model"], trigger_value=True)])
            assert not of_kind(elements, "exception")
            return next(list(one.options) for one in of_kind(elements, "selectbox") if one.label == "Model")

    with WebSocketClient(port) as visitor:
        elements = visitor.open()
        keys = {
            one.label: one.id for kind in ("file_uploader", "selectbox", "button") for one in of_kind(elements, kind)
        }
    assert "mine (yours)" in upload_network()  # the requests work while uploads are on
    operator.write_text("uploads = false\n" + text)
    try:
        assert "mine (yours)" not in upload_network()
    finally:
        operator.write_text(text)


def test_clearing_caches_during_work_changes_no_map(port: int) -> None:
    with WebSocketClient(port) as visitor, WebSocketClient(port) as other, ThreadPoolExecutor(1) as pool:
        visitor.open()
        other.open()
        for sample in ("koala", "panda", "moose"):
            computing = pool.submit(visitor.open, (), img=f"sample:{sample}", method="guided_grad_cam")
            while not computing.done():
                other.clear_cache()
            assert shown_map(computing.result()) == encoded_map(sample, "guided_grad_cam")
        assert not of_kind(other.open(), "exception")


def test_nested_turn_does_not_wait() -> None:
    """A cleared cache starts one computation inside another, which must not wait for each other."""
    turns = queue.ComputeQueue()

    def never(before: int) -> None:
        raise AssertionError(f"{before} before")

    with turns.turn(never) as outer, turns.turn(never) as inner:
        assert inner is outer
    with turns.turn(never):
        with ThreadPoolExecutor(1) as pool, pytest.raises(AssertionError, match="1 before"):
            pool.submit(lambda: turns.turn(never).__enter__()).result()


def test_clearing_caches_keeps_the_networks(start: Callable[..., Any]) -> None:
    import streamlit as st

    app = start()
    model, shown = app.session_state["experiment"].model, [one.value for one in app.markdown]
    st.cache_data.clear()
    st.cache_resource.clear()
    app.run()
    assert app.session_state["experiment"].model is model and [one.value for one in app.markdown] == shown


# -------------------------------------------------------------------------------------------------- hostile text


def settled(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def test_hostile_names_are_shown_as_text(port: int, page: Page, tmp_path: Path) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    image = tmp_path / FILE
    Image.open(ROOT / "assets" / "samples" / "cat.jpg").save(image)
    page.goto(f"http://127.0.0.1:{port}/?model=birds&fit=![x](http://evil.example/u.png)&layer=<img src=x>")
    expect(page.get_by_text("Unknown fit '![x](http:\u2060//evil.example/u.png)'")).to_be_visible()
    page.get_by_role("button", name="Your image").click()
    page.locator("[data-testid=stFileUploader]:has-text('Your own image') input").set_input_files(image)
    expect(page.get_by_role("button", name=image.stem)).to_be_visible()
    settled(page)

    def assert_harmless() -> None:
        settled(page)
        main = page.locator(".stApp")
        # A link of the page itself may carry what came in its own address. At any time: notes go with the next run.
        leads = "links => links.map(one => one.href).filter(one => new URL(one).hostname.includes('evil'))"
        assert main.locator("a[href*=evil]").evaluate_all(leads) == []
        for element in ("img[src*=evil]", "a[href^=javascript]", "img[onerror]", ".katex"):
            expect(main.locator(element)).to_have_count(0)
        assert page.evaluate("window.pwned") is None and dialogs == []

    assert_harmless()
    reading = page.get_by_text(re.compile("The model predicts "))
    assert any(label in reading.inner_text() for label in LABELS)
    page.get_by_role("button", name="Download").click()
    report = page.get_by_role("button", name="Report (HTML)")
    expect(report).to_be_visible()
    settled(page)  # the popover moves while the page is still being drawn
    with page.expect_download() as download:
        report.click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    for name in ("Inspect", "Dataset", "Train", "Learn"):
        page.get_by_role("link", name=name).first.click()
        expect(page.get_by_role("link", name=name).first).to_have_attribute("aria-current", "page")
        assert_harmless()
    page.goto(f"http://127.0.0.1:{port}/compare?model=birds&rows=classes&rows.classes=0,1,2&columns.methods=random_cam")
    assert_harmless()
    expect(page.get_by_text(LABELS[1], exact=False).first).to_be_visible()
    assert [url for url in requested if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:"))] == []

    fetched: list[str] = []
    opened = page.context.new_page()
    opened.on("request", lambda request: fetched.append(request.url))
    opened.goto(report.as_uri())
    for text in (*LABELS, "![x]"):
        expect(opened.get_by_text(text, exact=False).first).to_be_visible()
    expect(opened.locator("script, iframe, object, link, img:not([src^=data])")).to_have_count(0)
    assert opened.evaluate("window.pwned") is None and dialogs == []
    assert [url for url in fetched if not url.startswith("data:")] == [report.as_uri()]


def test_script_in_a_report_does_not_run(page: Page, tmp_path: Path) -> None:
    """The page's content security policy blocks it, even if escaping fails."""
    told = camviz.report.to_html("x", [])
    hostile = "<script>window.pwned = 1</script><img src='http://evil.example/x.png' onerror='window.pwned = 1'>"
    file = tmp_path / "report.html"
    file.write_text(told.replace("</body>", f"{hostile}</body>"))
    requested: list[str] = []
    page.on("requestfinished", lambda request: requested.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None and requested == [file.as_uri()]
