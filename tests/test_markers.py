"""Markers by folder, and the tests that --fast leaves out."""

import sys
from pathlib import Path

import pytest

from tests.conftest import MARKERS, markers_of

TESTS = Path(__file__).parent
HEAVY = {"captum", "hypothesis", "playwright", "pytorch_grad_cam", "quantus", "ray", "streamlit", "torchcam", "zennit"}


@pytest.mark.parametrize(
    ("file", "markers"),
    [
        ("browser/test_explain.py", {"browser"}),
        ("deploy/test_nginx.py", {"deploy"}),
        ("evaluation/test_quantus.py", {"peer"}),
        ("batch/test_ray.py", {"slow"}),
        ("methods/test_contract.py", set()),
        ("test_registry.py", set()),
    ],
)
def test_tests_are_marked_by_folder_and_imports(file: str, markers: set[str]) -> None:
    assert markers_of(TESTS / file) == markers


def test_fast_run_imports_no_heavy_package(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("fast"):
        pytest.skip("only `make check` leaves the heavy packages out")
    assert HEAVY & sys.modules.keys() == set()


def test_every_marked_path_exists() -> None:
    assert [place for place in MARKERS if not (TESTS / place).exists()] == []
