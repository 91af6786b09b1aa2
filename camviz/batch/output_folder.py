"""The output of a run over many images: maps, overlays, a table, contact sheets, and a journal to continue from."""

import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from .. import encode, render, text
from ..encode import RGB
from ..errors import FilesError
from ..explanation import recipe
from ..images.files import SUFFIXES
from ..registry import METHODS
from .job import Job
from .worker import Item, Outcome

Row = dict[str, Any]

JOURNAL, TABLE, SHEET = "journal.jsonl", "table.parquet", "contact-{:04d}.jpg"
ROWS_AT_ONCE = 1000
ACROSS, DOWN = 6, 5  # images of a contact sheet

TEXT, WHOLE, REAL = pa.string(), pa.int64(), pa.float64()
COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("file", "method", "digest", "predicted"), TEXT),
    "predicted_class": WHOLE,
    "predicted_probability": REAL,
    "predicted_value": REAL,
    "target": TEXT,
    "target_class": WHOLE,
    "target_probability": REAL,
    "layer": TEXT,
    "seconds": REAL,
    **dict.fromkeys(("forward_passes", "backward_passes"), WHOLE),
    **dict.fromkeys(("map", "overlay", "settings", "recipe", "notes", "error"), TEXT),
}


def images_in(folder: Path, besides: Path) -> list[str]:
    """Return the sorted names of all images in a folder and its subfolders, except those in the folder `besides`."""
    if not folder.is_dir():
        raise FilesError("there is no folder {folder}: name the folder of the images", folder=folder)
    found = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    inside = [file for file in found if not file.resolve().is_relative_to(besides.resolve())]
    return sorted(file.relative_to(folder).as_posix() for file in inside)


class OutputFolder:
    """The folder `out` for the results of the images in the folder `source`. Each file appears when it is complete."""

    def __init__(self, source: Path, out: Path) -> None:
        self.source, self.out = source, out
        for name in ("maps", "overlays"):
            (out / name).mkdir(parents=True, exist_ok=True)

    def items(self, job: Job) -> list[Item]:
        """Return all images, each with the methods that are still to be computed.

        A method is done if the journal has its row for the same file and settings, and the files of the row exist.
        """
        done: dict[tuple[str, str], tuple[str, str]] = {}
        for _, row in self._journal():
            whole = row["error"] or all((self.out / row[kind]).is_file() for kind in ("map", "overlay"))
            done[row["file"], row["method"]] = (row["stamp"], row["settings"]) if whole else ("", "")
        settings = {key: job.settings_of(key) for key in job.methods}
        items = []
        for name in images_in(self.source, self.out):
            stamp = _stamp(self.source / name)
            left = tuple(key for key in job.methods if done.get((name, key)) != (stamp, settings[key]))
            items.append(Item(name, self.source / name, left))
        return items

    def save(self, outcome: Outcome, job: Job) -> Row:
        """Write the map and the overlay of an outcome, and return its row."""
        e, predicted = outcome.explanation, outcome.predicted
        row: Row = {
            "file": outcome.name,
            "method": outcome.method,
            "stamp": _stamp(self.source / outcome.name),
            "digest": outcome.digest or None,
            "settings": job.settings_of(outcome.method),
            "notes": " ".join(outcome.notes) or None,
            "error": outcome.error or None,
        }
        if predicted:
            row |= {"predicted": predicted.label, "predicted_class": predicted.index}
            row |= {
                "predicted_probability": _finite(predicted.probability),
                "predicted_value": _finite(predicted.value),
            }
        if e:
            # The digest keeps apart names that differ only in characters that a file name cannot have.
            stem = text.file_name(Path(outcome.name).stem, hashlib.sha256(outcome.name.encode()).hexdigest()[:8])
            row |= {
                kind: f"{kind}s/{stem}-{outcome.method}.{end}" for kind, end in (("map", "npz"), ("overlay", "jpg"))
            }
            content = io.BytesIO()
            np.savez(content, attribution=e.attribution, settings=np.array(recipe.settings_json(e)))
            write(self.out / row["map"], content.getvalue())
            write(self.out / row["overlay"], encode.jpeg(render.overlay(e.view, e.heatmap)))
            row |= {"target": e.label, "target_class": e.target, "layer": e.layer, "metrics": dict(outcome.metrics)}
            row |= {name: getattr(e, name) for name in ("seconds", "forward_passes", "backward_passes")}
            row |= {"target_probability": _finite(e.probability)}
            row |= {"recipe": json.dumps(recipe.to_recipe(e.question, outcome.name), ensure_ascii=False)}
        return row

    def append(self, rows: Iterable[Row]) -> None:
        """Append rows to the journal, which lists the finished work."""
        with (self.out / JOURNAL).open("a", encoding="utf-8") as journal:
            # The line break comes first, so that an incomplete last line of a stopped run damages no other line.
            journal.writelines("\n" + json.dumps(row, ensure_ascii=False) for row in rows)

    def finish(self) -> int:
        """Write the table of all results in this folder, and the contact sheets; return the number of errors."""
        newest: dict[tuple[str, str], int] = {}  # where in the journal a row begins
        metrics: set[str] = set()
        for position, row in self._journal():
            newest[row["file"], row["method"]] = position
            metrics.update(row.get("metrics", ()))
        schema = pa.schema({**COLUMNS, **dict.fromkeys(sorted(metrics), REAL)})
        sheets = ContactSheets(self.out, len({method for _, method in newest}))
        errors = 0
        with _whole(self.out / TABLE) as file, pq.ParquetWriter(file, schema) as table:
            rows: list[Row] = []
            for key in sorted(newest):
                row = self._row_at(newest[key])
                errors += row["error"] is not None
                sheets.add(row)
                rows.append({name: row.get(name) for name in COLUMNS} | row.get("metrics", {}))
                if len(rows) == ROWS_AT_ONCE:
                    table.write_table(pa.Table.from_pylist(rows, schema))
                    rows.clear()
            table.write_table(pa.Table.from_pylist(rows, schema))
        sheets.finish()
        return errors

    def _journal(self) -> Iterator[tuple[int, Row]]:
        """Yield all rows in the order in which they were written, each with its position in the file."""
        if not (self.out / JOURNAL).exists():
            return
        with (self.out / JOURNAL).open("rb") as journal:
            position = 0
            for line in journal:
                with suppress(ValueError):  # an incomplete or empty line
                    yield position, json.loads(line)
                position += len(line)

    def _row_at(self, position: int) -> Row:
        with (self.out / JOURNAL).open("rb") as journal:
            journal.seek(position)
            row: Row = json.loads(journal.readline())
            return row


class ContactSheets:
    """Contact sheets of the overlays of all rows, with captions; one page is in memory at a time."""

    def __init__(self, out: Path, methods: int) -> None:
        self.out, self.pages = out, 0
        self.columns = ACROSS // methods * methods if 0 < methods <= ACROSS else ACROSS
        self.tiles: list[RGB | str] = []
        self.captions: list[str] = []

    def add(self, row: Row) -> None:
        """Add the overlay and the caption of a row."""
        self.tiles.append("" if row["error"] else np.asarray(Image.open(self.out / row["overlay"])))
        result = row["error"] or f"{row['target']} {_answer(row)}".strip()
        self.captions.append(f"{row['file']}: {result}, {METHODS[row['method']].title}")
        if len(self.tiles) == self.columns * DOWN:
            self._write_page()

    def finish(self) -> None:
        """Write the last page, and delete pages of an earlier, longer run."""
        if self.tiles:
            self._write_page()
        for old in self.out.glob(SHEET.replace("{:04d}", "*")):
            if old.name > SHEET.format(self.pages):
                old.unlink()

    def _write_page(self) -> None:
        self.pages += 1
        sheet = encode.contact_sheet(self.tiles, self.columns, self.captions)
        write(self.out / SHEET.format(self.pages), encode.jpeg(sheet, quality=85))
        self.tiles.clear()
        self.captions.clear()


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: an interrupted run leaves no incomplete file."""
    with _whole(path) as file:
        file.write(content)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        yield file
    part.replace(path)


def _stamp(file: Path) -> str:
    """Return the size and the modification time of a file, which change when the file does."""
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _answer(row: Row) -> str:
    """Return the answer of a row: the probability of its target, or the predicted value."""
    probability, value = row["target_probability"], row.get("predicted_value")
    return text.shown_answer(math.nan if probability is None else probability, math.nan if value is None else value)
