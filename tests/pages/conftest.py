"""The dashboard without a browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def start() -> Callable[..., AppTest]:
    """Start the dashboard with a link, on a page."""

    def run(page: str = "", **link: str) -> AppTest:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        for key, value in link.items():
            app.query_params[key] = value
        app.run()
        return app.switch_page(page).run() if page else app

    return run
