"""What all tests share: bounded threads, fixed seeds, the embedded network and the sample pictures."""

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # waiting threads of two would fight with whatever else runs

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

import camviz
from camviz.ui import cache

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "assets" / "samples"


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
    cache.forget()

    def run(page: str = "", **link: str) -> AppTest:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        if page:
            app.run()
            app.switch_page(page).run()
        for key, value in link.items():
            app.query_params[key] = value
        return app.run() if link or not page else app

    return run
