"""`camviz methods`: the table of methods."""

import argparse

from ..teaching import reference

HELP = "Prints the table of methods as Markdown."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the command takes none."""


def run(given: argparse.Namespace) -> int:
    """Print the table."""
    print(reference.methods_table())
    return 0
