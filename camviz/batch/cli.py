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
from .job import Order, setting
from .output_folder import TABLE, Folder, Row
from .worker import Item

HELP = (
    "Explains all images of a folder: maps (NPZ), overlays (JPEG), a table (Parquet) with a row for each image and "
    "method, and contact sheets. Called again, it goes on where it stopped."
)
SECONDS_BETWEEN_LINES = 10.0  # of progress, when the output goes to a file


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add = parser.add_argument
    add("folder", type=Path, help="with the images, and folders of them")
    add("--out", type=Path, required=True, help="where maps, overlays, table and contact sheets go; goes on from there")
    add("--model", default="efficientnet_lite0", help="a network of the catalogue")
    add("--weights", default="default", help="default, random, or a file of your own")
    add("--methods", type=_names, default=("grad_cam",), help="keys with commas between; see `camviz methods`")
    add("--metrics", type=_names, default=("sparseness",), help="keys with commas between, or nothing: ''")
    add("--layer", help="a dotted name, or several with commas between, whose maps are fused; default: the last one")
    add("--fuse", choices=get_args(Fusion), default="mean", help="how the maps of several layers become one")
    add("--target", type=_class, help="the class to explain, as index or label; default: the predicted one")
    add("--rather-than", type=_class, help="the class that the target is held against")
    add("--fit", choices=get_args(Fit), default="crop", help="how an image meets the network")
    add("--set", type=_setting, action="append", default=[], metavar="METHOD.SETTING=VALUE", dest="settings")
    add("--device", help="cpu, cuda, mps; default: torch's")
    add("--batch", type=int, default=8, help="images computed together by methods of one or two passes")
    add("--engine", default="local", help="local, or ray: Ray Data on a cluster, or on this machine")
    add("--workers", type=int, default=2, help="how many workers Ray is asked for")


def run(given: argparse.Namespace) -> int:
    """Do it, with a progress line on stderr; 0, 2 where the input is wrong, or 130 where it was interrupted."""
    try:
        return _run(given)
    except CamvizError as error:
        print(f"{str(error)[:1].upper()}{str(error)[1:]}.", error.help, sep="\n", file=sys.stderr)
        return 2


def _run(given: argparse.Namespace) -> int:
    if given.engine not in ENGINES:
        raise unknown(Message("engine"), given.engine, ENGINES, "local, ray")
    knobs: dict[str, dict[str, Any]] = {}
    for owner, name, value in given.settings:
        knobs.setdefault(owner, {})[name] = value
    chosen = {field.name: getattr(given, field.name) for field in fields(Order) if field.name != "knobs"}
    order = Order(**chosen, knobs=knobs)
    folder = Folder(given.folder, given.out)
    items = folder.waiting(order)
    if not items:
        raise FilesError("there are no images in {folder}", folder=given.folder)
    left = [item for item in items if item.methods]
    maps = sum(len(item.methods) for item in left)
    print(f"{len(items)} images: {maps} maps to compute, {len(items) * len(order.methods) - maps} are there.")
    code = 0
    if left:
        order.load()  # what is wrong with the order is said before anything is begun
        try:
            _work(ENGINES[given.engine](order, folder, _batches(left, order.batch), given.workers), folder, maps)
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on from here.", file=sys.stderr)
            code = 130
    errors = folder.finish()
    print(f"{folder.out}: maps, overlays, {TABLE} and contact sheets" + (f"; {errors} rows are errors" * bool(errors)))
    return code


def _work(engine: Iterator[list[Row]], folder: Folder, maps: int) -> None:
    errors = 0
    interval = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
    with tqdm(total=maps, unit="map", mininterval=interval, file=sys.stderr) as bar:
        for rows in engine:
            folder.note(rows)
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
