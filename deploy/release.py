"""Prepare a release: python -m deploy.release. `make release` runs it after the tests.

It builds the documentation, then wheel and sdist in dist/, installs the wheel in a fresh environment, explains an image
there, opens the dashboard until it shows a heatmap, and writes the version into the changelog. It uploads nothing. With
--check, as `make wheel` calls it, it leaves the changelog unchanged.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

from camviz.version import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
UNRELEASED = "## [Unreleased]\n"
MAX_BYTES = 8e6  # of the wheel
MAX_SECONDS = 90.0  # from the downloaded packages to the first heatmap
GPU_LIBRARY = re.compile("(?:cuda|nvidia|triton)[_-]")  # a dependency of PyPI's PyTorch; its CPU build has none
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def released(changelog: str, version: str, day: datetime.date) -> str:
    """Return a changelog with its unreleased entries under a version; unchanged if it has that version already.

    Raises ValueError if there are no unreleased entries.
    """
    if re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE):
        return changelog
    before, _, after = changelog.partition(UNRELEASED)
    if not after.partition("\n## [")[0].strip():
        raise ValueError(f"CHANGELOG.md has no entry under {UNRELEASED.strip()}: say what users notice in {version}")
    return f"{before}{UNRELEASED}\n## [{version}] - {day}\n{after}"


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command; raise CalledProcessError if it fails."""
    print("$", *command, flush=True)
    subprocess.run(command, cwd=folder, env=_environment(), check=True)


def build() -> Path:
    """Build documentation, sdist and wheel, and return the wheel. Raises ValueError if it has over MAX_BYTES."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "mkdocs", "build", "--strict")
    run(sys.executable, "-m", "build", "--outdir", DIST)
    (wheel,) = DIST.glob("*.whl")
    if wheel.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"{wheel.name} has {wheel.stat().st_size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB are allowed"
        )
    return wheel


def check(wheel: Path) -> float:
    """Install the wheel in a fresh virtual environment, and use it in an empty folder.

    Return the seconds from the downloaded packages to the first heatmap; libraries for a GPU count as a part of the
    download. Raises TimeoutError if it takes more than MAX_SECONDS.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise FileNotFoundError(f"no browser to show the first heatmap; install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages, work = folder / "packages", folder / "work"
        run(sys.executable, "-m", "venv", folder / "venv")
        programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        pip = (programs / "python", "-m", "pip")
        run(*pip, "wheel", "-q", "-w", packages, wheel)
        if libraries := [file for file in packages.iterdir() if GPU_LIBRARY.match(file.name)]:
            run(*pip, "install", "-q", "--no-index", "--no-deps", *libraries)
        work.mkdir()
        began, busy = time.monotonic(), _processor_seconds()
        run(*pip, "install", "-q", "--no-index", "--find-links", packages, f"camviz=={__version__}")
        installed, busy = time.monotonic() - began, _processor_seconds() - busy
        seconds = installed + first_heatmap(programs / "camviz", work, browser)
        took = f"pip took {installed:.0f} s, with {busy:.0f} s of processor time"
        print(f"First heatmap {seconds:.0f} s after the download; {took}", flush=True)
        run(programs / "camviz", "doctor", folder=work)
        (work / "images").mkdir()
        shutil.copy(ROOT / "assets" / "samples" / "koala.jpg", work / "images")
        run(programs / "camviz", "explain", "images", "--methods", "grad_cam", "--out", "out", folder=work)
        if not (work / "out" / "table.parquet").exists():
            raise FileNotFoundError("camviz explain wrote no out/table.parquet")
    if seconds > MAX_SECONDS:
        raise TimeoutError(
            f"the first heatmap came after {seconds:.0f} s, at most {MAX_SECONDS:.0f} s are allowed; {took}. If the "
            "processor time is far less, the machine was busy: try again"
        )
    return seconds


def first_heatmap(camviz: Path, folder: Path, browser: str) -> float:
    """Return the seconds from the start of the dashboard until a browser shows a heatmap.

    Raises FileNotFoundError if the dashboard does not serve its documentation.
    """
    command = (camviz, "--no-browser")
    print("$", *command, flush=True)
    began = time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            with sync_playwright() as playwright:
                opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = opened.new_page(viewport={"width": 1440, "height": 1000})
                page.goto(url)
                page.get_by_test_id("stMain").locator("canvas").first.wait_for(timeout=2000 * MAX_SECONDS)
                seconds = time.monotonic() - began
                opened.close()
            with urllib.request.urlopen(f"{url}/docs/tutorials/first-map.html", timeout=20) as answer:
                if b"<h1" not in answer.read():
                    raise FileNotFoundError("the dashboard serves no documentation")
        finally:
            server.terminate()
    return seconds


def main() -> None:
    """Prepare the release of the version in camviz/version.py."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("--check", action="store_true", help="build and check; leave the changelog as it is")
    given = parser.parse_args()
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if not given.check:
        text = released(text, __version__, datetime.date.today())
    seconds = check(build())
    if not given.check:
        changelog.write_text(text, encoding="utf-8")
    files = ", ".join(sorted(file.name for file in DIST.iterdir()))
    print(f"\nCamViz {__version__} is ready, with a first heatmap after {seconds:.0f} s: {files}")


def _processor_seconds() -> float:
    """Return the processor time of the finished commands; 0 on Windows, which does not report it."""
    times = os.times()
    return times.children_user + times.children_system


def _environment() -> dict[str, str]:
    """Return an environment in which a command finds only the packages of its own virtual environment."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_MKDOCS_2_WARNING": "1"}


if __name__ == "__main__":
    main()
