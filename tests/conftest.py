"""What all tests share: bounded threads, fixed seeds, the embedded network and the sample pictures."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # waiting threads of two would fight with whatever else runs

import pytest
import torch

import camviz

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def lite0() -> camviz.Model:
    return camviz.load_model("efficientnet_lite0")


@pytest.fixture(scope="session")
def coffee() -> Path:
    return SAMPLES / "coffee.jpg"
