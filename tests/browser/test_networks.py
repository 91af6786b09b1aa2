"""A served network in a real browser, and one that is uploaded on the page."""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision.models as tv
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.actions import open_settings

ROOT = Path(__file__).parents[2]

SCRIPT = """
import torch
from torch import nn
from torchvision import transforms as T
import camviz

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
see = T.Compose([T.Grayscale(), T.Resize((56, 56)), T.ToTensor(), T.Normalize([0.13], [0.31])])
camviz.serve(net, name="Digits", categories=["zero", "one", "two"], preprocess=see, head="sigmoid", port=0)
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "TORCH_HOME": str(tmp_path)}
    environment.pop("DISPLAY", None)
    command = [sys.executable, "script.py"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def checkpoint() -> bytes:
    torch.manual_seed(1)
    buffer = io.BytesIO()
    torch.save(tv.squeezenet1_1(num_classes=3).state_dict(), buffer)
    return buffer.getvalue()


def test_served_and_uploaded_networks_are_explained(served: str, page: Page) -> None:
    page.goto(served)
    bars = page.get_by_role("group", name="Top-5 predictions: choose a class to explain")
    expect(bars).to_contain_text("zero")
    shares = [float(share) for share in re.findall(r"([\d.]+)%", bars.inner_text())]
    assert len(shares) == 3 and abs(sum(shares) - 100) > 10  # each class by itself
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(re.compile("Digits"))

    resting = page.locator("[data-test-script-state=notRunning]")
    expect(resting).to_be_visible()  # a redrawn list of choices drops what was typed into it
    open_settings(page)
    page.locator("summary", has_text="Your own model").click()
    architecture = page.get_by_role("combobox", name=re.compile("Architecture"))
    for _ in range(5):  # a list that is redrawn at that moment closes, and who types it again finds it
        architecture.click()
        architecture.fill("squeezenet 1.1")
        with contextlib.suppress(TimeoutError):
            page.get_by_role("option", name="SqueezeNet 1.1", exact=True).wait_for(timeout=5000)
            break
        architecture.press("Escape")
    expect(page.get_by_role("option")).to_have_count(1)
    architecture.press("Enter")
    expect(architecture).to_have_value("SqueezeNet 1.1")
    files = page.get_by_test_id("stPopoverBody").locator("input[type=file]")
    weights, names = files.nth(files.count() - 2), files.nth(files.count() - 1)
    weights.set_input_files(
        {"name": "garden birds.pth", "mimeType": "application/octet-stream", "buffer": checkpoint()}
    )
    expect(page.get_by_role("button", name="Remove garden birds.pth")).to_be_visible()
    expect(page.get_by_role("button", name="Use this model")).to_be_enabled()  # its run has come back
    expect(resting).to_be_visible()
    names.set_input_files(
        {"name": "names.json", "mimeType": "application/json", "buffer": b'{"tit": 2, "wren": 0, "robin": 1}'}
    )
    expect(page.get_by_role("button", name="Remove names.json")).to_be_visible()
    expect(resting).to_be_visible()
    page.get_by_role("button", name="Use this model").click()
    expect(bars).to_contain_text("wren")
    expect(page).to_have_url(re.compile("model=custom(:|%3A)"))
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    page.reload()  # the browser's cookie finds it again
    expect(bars).to_contain_text("wren")
    expect(page).to_have_url(re.compile("model=custom(:|%3A)"))
    expect(page.get_by_text("private model")).to_have_count(0)
