"""The command line: `explain` a folder of images, print the table of `methods`, write the reference pages (`docs`)."""

import argparse
import sys
from pathlib import Path

from .batch import cli
from .teaching import reference


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser("python -m camviz", description="CamViz on the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("methods", help="print the table of methods as Markdown")
    docs = commands.add_parser("docs", help="write the reference pages of the methods and metrics")
    docs.add_argument("folder", type=Path)
    cli.arguments(commands.add_parser("explain", help="explain all images of a folder", description=cli.HELP))
    given = parser.parse_args()
    if given.command == "methods":
        print(reference.methods_table())
    elif given.command == "docs":
        given.folder.mkdir(parents=True, exist_ok=True)
        for name, page in reference.PAGES.items():
            (given.folder / name).write_text(page(), encoding="utf-8")
    else:
        sys.exit(cli.run(given))


if __name__ == "__main__":
    main()
