"""The command line: `explain` images, print the `methods`, write the reference pages or the stored images."""

import argparse
import sys
from pathlib import Path

from .batch import cli
from .feature_visualization import stored
from .teaching import reference, samples


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser("python -m camviz", description="CamViz on the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("methods", help="print the table of methods as Markdown")
    docs = commands.add_parser("docs", help="write the reference pages of the methods and metrics")
    docs.add_argument("folder", type=Path)
    docs.add_argument("--samples", action="store_true", help="add the missing sample maps and numbers; takes minutes")
    images = commands.add_parser("visualize", help="add the missing feature visualizations to the file that is shipped")
    images.add_argument("file", type=Path, nargs="?", default=stored.FILE)
    cli.arguments(commands.add_parser("explain", help="explain all images of a folder", description=cli.HELP))
    given = parser.parse_args()
    if given.command == "methods":
        print(reference.methods_table())
    elif given.command == "docs":
        given.folder.mkdir(parents=True, exist_ok=True)
        for name, page in reference.PAGES.items():
            (given.folder / name).write_text(page(), encoding="utf-8")
        if given.samples:
            samples.write_samples(given.folder / "reference" / "samples")
    elif given.command == "visualize":
        stored.write(given.file)
    else:
        sys.exit(cli.run(given))


if __name__ == "__main__":
    main()
