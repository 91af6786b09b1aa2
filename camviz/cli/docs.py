"""`camviz docs FOLDER`: the reference pages of the methods and metrics."""

import argparse
from pathlib import Path

from ..teaching import reference, samples

HELP = "Writes the reference pages of the methods and metrics from their docstrings."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", action="store_true", help="add the missing sample maps and numbers; takes minutes")


def run(given: argparse.Namespace) -> int:
    """Write the pages."""
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, page in reference.PAGES.items():
        (given.folder / name).write_text(page(), encoding="utf-8")
    if given.samples:
        samples.write_samples(given.folder / "reference" / "samples")
    return 0
