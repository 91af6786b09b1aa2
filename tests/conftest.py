"""What all tests share: bounded threads, fixed seeds, the embedded network, the sample pictures, a Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # waiting threads of two would fight with whatever else runs

import pytest
import streamlit as st
import torch
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from streamlit.testing.v1 import AppTest

import camviz
from camviz.ui.server import singletons

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "assets" / "samples"
expect.set_options(timeout=60_000)  # the first page imports torch
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def lite0() -> camviz.Model:
    return camviz.load_model("efficientnet_lite0")


@pytest.fixture(scope="session")
def coffee() -> Path:
    return SAMPLES / "coffee.jpg"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Start the dashboard without a browser, with a link, on a page."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()
    singletons.clear_singletons()

    def run(page: str = "", **link: str) -> AppTest:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        if page:
            app.run()
            app.switch_page(page)
            del app.session_state["_page"]  # as if the link had led here at once
        for key, value in link.items():
            app.query_params[key] = value
        return app.run()

    return run


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A real Chromium."""
    opened = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
    yield opened
    opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    yield opened
    boxes = opened.locator("[data-testid=stException]").all_inner_texts()
    context.close()
    assert not boxes, f"the page shows an exception: {boxes}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Chromium test may try again once: on a busy machine a page can be redrawn between a look and a click."""
    for item in items:
        if {"page", "browser", "playwright"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.flaky(reruns=1))
