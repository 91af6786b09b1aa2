"""Settings: a default follows the page, a chosen value stays."""

from typing import Any

import pytest
import streamlit as st

from camviz.ui.session import settings


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The session of a visitor, without a page."""
    found: dict[str, Any] = {"_asked": {}, "_who": "link", "_notes": [], "_used": {}}
    monkeypatch.setattr(st, "session_state", found)
    return found


def layer(default: str) -> Any:
    """Read the setting as the next page does."""
    st.session_state["_used"] = {}
    return settings.setting("layer", default, ("a", "b", "c"))


def test_unchosen_setting_is_the_default_of_the_page(state: dict[str, Any]) -> None:
    assert [layer("c"), layer("b"), layer("c")] == ["c", "b", "c"]
    assert not settings.is_chosen("layer") and state["_used"] == {}


@pytest.mark.parametrize("value", ["a", "b", "c"])
def test_chosen_setting_stays_on_every_page(state: dict[str, Any], value: str) -> None:
    layer("c")
    state["_asked"] = {"layer": value}
    assert [layer("c"), layer("b")] == [value, value] and settings.is_chosen("layer")
    assert state["_used"] == ({} if value == "b" else {"layer": value})
    assert layer("c") == value


def test_widgets_and_callbacks_choose_settings(state: dict[str, Any]) -> None:
    layer("c")
    state["layer"] = "a"  # as the widget does
    assert layer("b") == "a" and settings.is_chosen("layer")
    state["layer"] = "b"
    assert layer("b") == "b" and layer("c") == "b"
    state.pop("layer")  # as a link without it does
    assert layer("c") == "c" and not settings.is_chosen("layer")
    settings.choose("layer", "c")
    assert layer("b") == "c" and settings.is_chosen("layer")


def test_invalid_value_is_not_chosen(state: dict[str, Any]) -> None:
    state["_asked"] = {"layer": "z"}
    assert layer("c") == "c" and layer("b") == "b" and not settings.is_chosen("layer")
    assert len(state["_notes"]) == 1
