"""A served network in a real browser."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

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


def test_served(served: str, page: Page) -> None:
    page.goto(served)
    bars = page.get_by_role("group", name="Predictions: choose a class to explain")
    expect(bars).to_contain_text("zero")
    shares = [float(share) for share in re.findall(r"([\d.]+) %", bars.inner_text())]
    assert len(shares) == 3 and abs(sum(shares) - 100) > 10  # each class by itself
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar.get_by_role("combobox", name="Network", exact=False).first).to_have_value(re.compile("Digits"))
