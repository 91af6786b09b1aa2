"""An explanation in JupyterLab: the stage of the dashboard, which answers without the kernel."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ipywidgets.embed import dependency_state
from ipywidgets.widgets import widget as widgets
from playwright.sync_api import Page, expect

import camviz
from tests.browser.jupyter import jupyterlab, trust
from tests.chromium import skip

VIEW, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
SAMPLE = Path("assets/samples/coffee.jpg").resolve()
KERNEL: dict[str, Any] = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture(scope="module")
def explained() -> camviz.Explanation:
    return camviz.explain("efficientnet_lite0", SAMPLE, "grad_cam")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, explained: camviz.Explanation) -> Iterator[str]:
    """JupyterLab with a notebook that has not run, and one that was saved with another view."""
    if find_spec("jupyterlab") is None:
        skip("jupyterlab is not installed: run pip install -r requirements-dev.txt")
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    folder.mkdir()
    source = f"import camviz\ncamviz.explain('efficientnet_lite0', '{SAMPLE}')"
    write(folder / "new.ipynb", source)
    write(folder / "saved.ipynb", source, explained)
    trust(folder / "saved.ipynb", home)  # the widgets of other notebooks do not run
    with jupyterlab(home, folder) as url:
        yield url


def write(path: Path, source: str, shown: camviz.Explanation | None = None) -> None:
    """Write a notebook of one cell; if it has run, with its output and the state of the widget."""
    metadata, outputs = dict(KERNEL), []
    if shown is not None:
        bundle = shown._repr_mimebundle_()
        assert bundle is not None
        widget = widgets._instances[bundle[VIEW]["model_id"]]
        widget.look = {**widget.look, "view": "contour"}
        state = dependency_state([widget], drop_defaults=False)
        metadata["widgets"] = {STATE: {"version_major": 2, "version_minor": 0, "state": state}}
        outputs = [{"output_type": "execute_result", "execution_count": 1, "data": bundle, "metadata": {}}]
    cell = {
        "cell_type": "code",
        "id": "one",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]}))


def test_stage_in_a_notebook_works_without_the_kernel(page: Page, lab: str, explained: camviz.Explanation) -> None:
    errors: list[str] = []
    sent: list[str | bytes] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{lab}/lab/tree/new.ipynb")
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    page.locator(".jp-Notebook .jp-Cell").click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".stage.ready")).to_be_visible()
    expect(page.locator(".facts")).to_have_text(re.compile(r"Grad-CAM of espresso \(95.7%\)"))
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    sent.clear()
    values, screen, readout = explained.attribution, page.locator(".stage .screen"), page.locator(".stage .readout")
    screen.hover()
    expect(readout).to_have_text(re.compile(f"Value {values[3, 3]:.3g}, .*row 4, column 4 of bn2"))
    before = page.locator(".stage canvas.heat").evaluate("heat => heat.toDataURL()")
    page.get_by_role("button", name="Heatmap").click()
    expect(page.get_by_role("button", name="Heatmap")).to_have_attribute("aria-pressed", "true")
    assert page.locator(".stage canvas.heat").evaluate("heat => heat.toDataURL()") != before
    screen.focus()
    page.keyboard.press("ArrowDown")  # JupyterLab would select the next cell
    expect(readout).to_have_text(re.compile("row 5, column 4 of bn2"))
    page.keyboard.press("+")
    expect(page.locator(".stage .world")).to_have_css("transform", re.compile("matrix\\(1.5, 0, 0, 1.5"))
    assert [one for one in sent if b"comm_msg" in (one if isinstance(one, bytes) else one.encode())] == []
    assert errors == []


def test_saved_notebook_restores_the_view(page: Page, lab: str, explained: camviz.Explanation) -> None:
    page.goto(f"{lab}/lab/tree/saved.ipynb")
    expect(page.get_by_role("button", name="Contour")).to_have_attribute("aria-pressed", "true")
    page.locator(".stage .screen").hover()
    readout = re.compile(f"Value {explained.attribution[3, 3]:.3g}, .*row 4, column 4 of bn2")
    expect(page.locator(".stage .readout")).to_have_text(readout)
    page.get_by_role("combobox", name="Color map").select_option("cividis")
    expect(page.locator(".stage canvas.heat")).to_be_attached()
