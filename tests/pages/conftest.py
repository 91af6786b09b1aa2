"""Fixtures of the page tests: a separate cache folder, and what a page offers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from camviz.ui.server import singletons


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages_scanned_once: None) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()
    singletons.clear_singletons()


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Collect the data of each download button by its label."""
    held: dict[str, Any] = {}
    original = DeltaGenerator.download_button

    def keep(self: DeltaGenerator, label: str, data: Any, *arguments: Any, **settings: Any) -> Any:
        held[label] = data
        return original(self, label, data, *arguments, **settings)

    monkeypatch.setattr(DeltaGenerator, "download_button", keep)
    return held


@pytest.fixture
def charts() -> Callable[[AppTest], list[dict[str, Any]]]:
    """Return a function that reads the data of a page's charts, in their order."""

    def read_charts(app: AppTest) -> list[dict[str, Any]]:
        protos = (component.proto for component in app.get("bidi_component"))
        return [json.loads(proto.json) for proto in protos if proto.component_name == "camviz_chart"]

    return read_charts


@pytest.fixture
def code() -> Callable[[AppTest], str]:
    """Return a function that reads the Python code of a page, which is drawn when its expander is opened."""

    def opened(app: AppTest) -> str:
        assert not app.code
        app.session_state["code"] = True
        return str(app.run().code[0].value)

    return opened
