"""Private parts of Streamlit are used in one file, for one version."""

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import streamlit

from camviz.ui.session import streamlit_internals as internals

ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(r"streamlit\.(?:runtime|proto|web|elements|delta_generator)|\b(?:st|Runtime)\._\w+")


def test_internals_are_written_for_the_pinned_version() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"streamlit=={internals.VERSION}" in needed and streamlit.__version__ == internals.VERSION


def test_only_streamlit_internals_uses_private_parts() -> None:
    files = [*ROOT.glob("camviz/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"]
    found = {path.name for path in files if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert found == {"streamlit_internals.py"}


def test_main_module_is_restored_after_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    program, page = ModuleType("program"), ModuleType("page")
    monkeypatch.setattr(internals, "_main", None)
    monkeypatch.setitem(sys.modules, "__main__", page)
    internals.restore_main_module()
    assert sys.modules["__main__"] is page and not internals.is_guest()
    monkeypatch.setitem(sys.modules, "__main__", program)
    internals.keep_main_module()
    monkeypatch.setitem(sys.modules, "__main__", page)
    internals.restore_main_module()
    assert sys.modules["__main__"] is program and internals.is_guest()
