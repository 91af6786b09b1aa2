"""`camviz visualize`: the feature visualizations that are shipped."""

import argparse
from pathlib import Path

from ..feature_visualization import stored

HELP = "Adds the missing feature visualizations of the embedded networks to the file that is shipped."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", type=Path, nargs="?", default=stored.FILE)


def run(given: argparse.Namespace) -> int:
    """Write the images."""
    stored.write(given.file)
    return 0
