"""A folder of four images, one of them broken, and the command that explains it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from camviz import __main__

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for name, target in (("coffee", "coffee.jpg"), ("koala", "koala.JPG"), ("macaw", "more/macaw.jpg")):
        shutil.copy(SAMPLES / f"{name}.jpg", folder / target)
    (folder / "broken.png").write_bytes(b"\x89PNG no more")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def command(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `python -m camviz explain` in this process; returns its exit status."""

    def run(*arguments: str, out: Path = tmp_path / "out") -> int:
        argv = ["camviz", "explain", str(images), "--out", str(out), *arguments]
        monkeypatch.setattr("sys.argv", argv)
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., dict[tuple[str, str], dict]]:
    """Read the rows of the table by image and method."""

    def read(out: Path = tmp_path / "out") -> dict[tuple[str, str], dict]:
        rows = pq.read_table(out / "table.parquet").to_pylist()
        return {(row["file"], row["method"]): row for row in rows}

    return read
