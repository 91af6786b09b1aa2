"""The wheel, installed without the repository: its contents, its commands, and the dashboard in a real browser."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path
from socket import socket

import pytest
from playwright.sync_api import Page, expect

from camviz.version import __version__

ROOT = Path(__file__).parents[2]
LARGEST = 8e6  # bytes of the wheel
DASHBOARD = ("app.py", "pages", ".streamlit/config.toml", "assets/samples", "assets/lessons")
IMAGES = ("assets/feature_visualizations.zip", "assets/icon.png", "assets/logo.svg")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True, timeout=100)
    assert (folder / f"camviz-{__version__}.tar.gz").is_file()
    return folder / f"camviz-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", folder, wheel]
    subprocess.run(pip, check=True, capture_output=True, timeout=100)
    return folder


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    """The environment in which the installed package is found, and the repository is not."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "PYTHONPATH": str(installed), "TORCH_HOME": str(tmp_path / "torch"), "PYTHONUNBUFFERED": "1"}


def source_files(*places: str) -> set[str]:
    """Return the files of the repository under some places."""
    paths = [path for place in places for path in (ROOT / place, *(ROOT / place).rglob("*"))]
    return {path.relative_to(ROOT).as_posix() for path in paths if path.is_file() and path.suffix != ".pyc"}


def test_wheel_contains_package_and_dashboard_and_is_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.startswith(f"camviz-{__version__}.dist-info/")}
        metadata = archive.read(f"camviz-{__version__}.dist-info/METADATA").decode()
    dashboard = {f"camviz/dashboard/{name}" for name in source_files(*DASHBOARD, *IMAGES)}
    assert names == source_files("camviz") | dashboard
    assert len([name for name in dashboard if name.endswith(".jpg")]) == 12
    assert wheel.stat().st_size < LARGEST
    assert "\nRequires-Dist: streamlit==1.67.0\n" in metadata and "\nRequires-Dist: segno" in metadata


def test_commands_work_in_any_folder(installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    def output_of(*command: str | Path) -> str:
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
        assert run.returncode == 0, run.stderr
        return run.stdout

    doctor = output_of(installed / "bin" / "camviz", "doctor")
    assert f"{__version__}, installed\n" in doctor and "efficientnet_lite2, mobilenet_v2\n" in doctor
    assert str(installed) not in doctor and str(ROOT) not in doctor and str(Path.home()) not in doctor
    assert "| `grad_cam` | [Grad-CAM](" in output_of(sys.executable, "-m", "camviz", "methods")


def test_dashboard_draws_a_heatmap_and_ends_at_ctrl_c(
    installed: Path, environment: dict[str, str], tmp_path: Path, page: Page
) -> None:
    errors = tmp_path / "errors.txt"
    with socket() as taken, errors.open("w") as log:
        with suppress(OSError):  # another server has it
            taken.bind(("127.0.0.1", 8501))
            taken.listen()
        command = [installed / "bin" / "camviz", "--no-browser"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=listen
        ) as server:
            try:
                assert server.stdout is not None
                url = server.stdout.readline().split()[-1]
                assert server.stdout.readline() == "Ctrl-C ends it.\n"
                page.goto(url)
                expect(page.get_by_test_id("stMain").locator("canvas").first).to_be_visible()
                expect(page.get_by_text("Numbers and Python code")).to_be_visible()
                request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
                with urllib.request.urlopen(request, timeout=20) as answer:
                    assert answer.headers["content-encoding"] == "gzip"
                # Only .streamlit/config.toml allows it.
                with urllib.request.urlopen(f"{url}/_stcore/script-health-check", timeout=60) as answer:
                    assert answer.read() == b"ok"
                server.send_signal(signal.SIGINT)
                out, _ = server.communicate(timeout=30)
            finally:
                server.kill()
    assert (server.returncode, out, errors.read_text()) == (0, "", "")
    assert re.fullmatch(r"http://localhost:\d+", url) and not url.endswith(":8501")
    assert {path.name for path in tmp_path.iterdir()} <= {"errors.txt", "torch"}


def listen() -> None:
    """Handle Ctrl-C, which a shell ignores for background processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
