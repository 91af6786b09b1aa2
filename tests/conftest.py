"""Shared test set-up: bounded threads, fixed seeds, the embedded model, a sample image, markers by folder."""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two busy threads would compete with the other worker's

import pytest
import torch

import camviz
from camviz import documentation

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

pytest_plugins = ["tests.chromium"]

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "assets" / "samples"

# Markers by folder or file of tests/, and by what a test file imports.
MARKERS = {
    "adversarial/test_embedded.py": "slow",
    "attacks": "attack",
    "batch": "slow",
    "benchmarks": "slow",
    "docs/test_examples.py": "slow",
    "docs/test_site.py": "slow",
    "browser": "browser",
    "cli": "slow",
    "deploy": "deploy",
    "feature_visualization/test_embedded.py": "slow",
    "feature_visualization/test_methods.py": "slow",
    "feature_visualization/test_stored.py": "slow",
    "inspection/test_receptive_field.py": "slow",
    "methods/test_ablation.py": "slow",
    "methods/test_families.py": "slow",
    "methods/test_threads.py": "slow",
    "models/checkpoints": "slow",
    "models/checkpoints/test_packaged.py": "slow",
    "models/custom/test_checks.py": "slow",
    "models/custom/test_reading.py": "slow",
    "models/test_embedded.py": "slow",
    "models/test_layers.py": "slow",
    "models/test_operator_config.py": "slow",
    "notebooks": "slow",
    "pages": "page",
    "relevance/test_attention.py": "slow",
    "runtime/test_devices.py": "slow",
    "runtime/test_malloc.py": "slow",
    "runtime/test_openmp.py": "slow",
    "tape/network/test_batches_of_one.py": "slow",
    "tape/network/test_calling_modes.py": "slow",
    "tape/test_kept_passes.py": "slow",
    "teaching/test_lessons.py": "slow",
    "test_captions.py": "slow",
    "test_extensions.py": "slow",
    "ui": "server",
    "training": "slow",
    "wheel": "slow",
}
IMPORTS = {
    "peer": re.compile(
        r"^(?:import|from) (?:captum|foolbox|pytorch_grad_cam|quantus|ray|saliency|sklearn|torchcam|zennit)\b",
        re.MULTILINE,
    ),
    "page": re.compile(r"^(?:import|from) (?:streamlit|camviz\.ui)\b", re.MULTILINE),
}


@cache
def markers_of(path: Path) -> set[str]:
    """Return the markers that every test under a path carries."""
    place = path.relative_to(ROOT / "tests").as_posix()
    found = {name for start, name in MARKERS.items() if place == start or place.startswith(f"{start}/")}
    if path.suffix == ".py":
        source = path.read_text(encoding="utf-8")
        found |= {name for name, pattern in IMPORTS.items() if pattern.search(source)}
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --fast."""
    parser.addoption("--fast", action="store_true", help="the fast core: import and run no test that carries a marker")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for name in sorted({*MARKERS.values(), *IMPORTS}):
        config.addinivalue_line("markers", f"{name}: set by MARKERS in tests/conftest.py; left out by --fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keep the fast run from importing what it would not run."""
    inside = collection_path.is_relative_to(ROOT / "tests")
    return True if config.getoption("fast") and inside and markers_of(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set the markers; under --fast leave out the tests that are marked one by one too."""
    for item in items:
        for name in markers_of(item.path):
            item.add_marker(name)
    if config.getoption("fast"):
        left_out = [item for item in items if any(map(item.get_closest_marker, {*MARKERS.values(), *IMPORTS}))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show no links to the documentation, whether or not `make site` has built it here."""
    monkeypatch.setattr(documentation, "FOLDER", Path("none"))


@pytest.fixture(scope="session")
def lite0() -> camviz.Model:
    return camviz.load_model("efficientnet_lite0")


@pytest.fixture(scope="session")
def coffee() -> Path:
    return SAMPLES / "coffee.jpg"


@pytest.fixture(scope="session")
def packages_scanned_once() -> None:
    """Look for components in the installed packages once, as a server does, not in every run of an AppTest."""
    from streamlit.components.v2 import manifest_scanner  # here, since most tests need no Streamlit

    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture
def work_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all work of the pages wait for a click, however quick it is: for tests of what stands around it."""
    from camviz.ui.server import tasks

    monkeypatch.setattr(tasks, "PATIENCE", -1.0)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages_scanned_once: None) -> "Callable[..., AppTest]":
    """Start the dashboard without a browser, with a link, on a page."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from camviz.ui.inspect import feature_maps
    from camviz.ui.server import singletons
    from camviz.ui.session import streamlit_internals

    streamlit_internals.expect_navigation()
    monkeypatch.setattr(feature_maps, "STEPS", 2)  # of the image that is synthesized for a channel, instead of 64
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()
    singletons.clear_singletons()

    def run(page: str = "", **link: str) -> AppTest:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        if page:
            app.switch_page(page)
        for key, value in link.items():
            app.query_params[key] = value
        return app.run()

    return run
