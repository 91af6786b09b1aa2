"""Prepare a release: python -m deploy.release. `make release` runs it after the tests.

It builds the documentation, and wheel and sdist with it into dist/, installs the wheel in a fresh environment,
explains an image there, and writes the version into the changelog. Nothing is uploaded.
"""

import datetime
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from camviz.version import __version__

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
UNRELEASED = "## [Unreleased]\n"


def released(changelog: str, version: str, day: datetime.date) -> str:
    """Return a changelog whose unreleased entries stand under a version; unchanged if it names the version already.

    Raises ValueError if there is nothing to release.
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
    subprocess.run(command, cwd=folder, check=True)


def check(wheel: Path) -> None:
    """Install the wheel in a fresh virtual environment, and use it in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "venv", folder / "venv")
        programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run(programs / "python", "-m", "pip", "install", "-q", wheel)
        work = folder / "work"
        (work / "images").mkdir(parents=True)
        shutil.copy(ROOT / "assets" / "samples" / "koala.jpg", work / "images")
        run(programs / "camviz", "doctor", folder=work)
        run(programs / "camviz", "explain", "images", "--methods", "grad_cam", "--out", "out", folder=work)
        if not (work / "out" / "table.parquet").exists():
            raise FileNotFoundError("camviz explain has written no table")


def main() -> None:
    """Prepare the release of the version in camviz/version.py."""
    changelog = ROOT / "CHANGELOG.md"
    text = released(changelog.read_text(encoding="utf-8"), __version__, datetime.date.today())
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "mkdocs", "build", "--strict")
    run(sys.executable, "-m", "build", "--outdir", DIST)
    (wheel,) = DIST.glob("*.whl")
    check(wheel)
    changelog.write_text(text, encoding="utf-8")
    print(f"\nCamViz {__version__} is ready: {', '.join(sorted(file.name for file in DIST.iterdir()))}")


if __name__ == "__main__":
    main()
