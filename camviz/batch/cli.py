"""`camviz explain FOLDER`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from ..errors import CamvizError, FilesError, unknown
from ..explanation.question import Fusion
from ..messages import Message
from ..models.geometry import Fit
from .engines import ENGINES
from .job import Job, setting
from .output_folder import TABLE, OutputFolder, Row
from .worker import Item

HELP = (
    "Explains all images of a folder: maps (NPZ), overlays (JPEG), a table (Parquet) with a row for each image and "
    "method, and contact sheets. The same command continues an interrupted run."
)
SECONDS_BETWEEN_LINES = 10.0  # of progress, when the output goes to a file


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("folder", type=Path, help="the folder of the images; folders inside it are included")
    add("--out", type=Path, required=True, help="the folder for maps, overlays, table and contact sheets")
    add("--model", default="efficientnet_lite0", help="a network of the catalog")
    add("--weights", default="default", help="default, random, or the path of a checkpoint")
    add("--methods", type=_names, default=("grad_cam",), help="keys separated by commas; see `camviz methods`")
    add("--metrics", type=_names, default=("sparseness",), help="keys separated by commas, or '' for none")
    add("--layer", help="a dotted name; the maps of several, separated by commas, are fused; default: the last layer")
    add("--fuse", choices=get_args(Fusion), default="mean", help="how the maps of several layers are fused")
    add("--target", type=_class, help="the class to explain, as index or label; default: the predicted one")
    add("--rather-than", type=_class, help="the class with which the target is contrasted")
    add("--fit", choices=get_args(Fit), default="crop", help="how an image is fitted to the input size")
    add(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="METHOD.SETTING=VALUE",
        dest="settings",
        help="a setting of a method or metric, such as score_cam.mode=fast; can be repeated",
    )
    add("--device", help="cpu, cuda, mps; default: torch's default device")
    add("--batch", type=int, default=8, help="images in one pass, for methods of one or two passes")
    add("--engine", default="local", help="local, or ray: Ray Data on a cluster or on this machine")
    add("--workers", type=int, default=2, help="number of workers of Ray")


def run(given: argparse.Namespace) -> int:
    """Run the job with a progress line on stderr; return 0, or 130 if it was interrupted. Raises CamvizError."""
    if given.engine not in ENGINES:
        raise unknown(Message("engine"), given.engine, ENGINES, "local, ray")
    knobs: dict[str, dict[str, Any]] = {}
    for owner, name, value in given.settings:
        knobs.setdefault(owner, {})[name] = value
    chosen = {field.name: getattr(given, field.name) for field in fields(Job) if field.name != "knobs"}
    job = Job(**chosen, knobs=knobs)
    folder = OutputFolder(given.folder, given.out)
    items = folder.items(job)
    if not items:
        raise FilesError("there are no images in {folder}: name a folder with image files", folder=given.folder)
    left = [item for item in items if item.methods]
    maps = sum(len(item.methods) for item in left)
    print(f"{len(items)} images: {maps} maps to compute, {len(items) * len(job.methods) - maps} already computed.")
    code = 0
    if left:
        job.load()  # reports an invalid job before any work starts
        try:
            _work(ENGINES[given.engine](job, folder, _batches(left, job.batch), given.workers), folder, maps)
        except KeyboardInterrupt:
            print("\nStopped. The same command continues the run.", file=sys.stderr)
            code = 130
    errors = folder.finish()
    print(
        f"{folder.out}: maps, overlays, {TABLE} and contact sheets" + (f"; {errors} rows hold an error" * bool(errors))
    )
    return code


def _work(engine: Iterator[list[Row]], folder: OutputFolder, maps: int) -> None:
    errors = 0
    interval = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
    with tqdm(total=maps, unit="map", mininterval=interval, file=sys.stderr) as bar:
        for rows in engine:
            folder.append(rows)
            errors += sum(row["error"] is not None for row in rows)
            bar.set_postfix(errors=errors, refresh=False)
            bar.update(len(rows))


def _batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _class(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _setting(text: str) -> tuple[str, str, Any]:
    try:
        return setting(text)
    except CamvizError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
