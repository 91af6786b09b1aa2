"""The command line: `camviz`, or `python -m camviz`."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .errors import CamvizError
from .version import __version__

# By command: its line in the help, and its module with `arguments(parser)` and `run(given)`, which returns a status.
COMMANDS = {
    "serve": ("start the dashboard, like `camviz` without a command", ".cli.serve"),
    "explain": ("explain all images of a folder", ".batch.cli"),
    "methods": ("print the table of methods as Markdown", ".cli.methods"),
    "lessons": ("check the lessons of a folder, and their claims on the networks of this machine", ".cli.lessons"),
    "collect": ("make a table and a page of the files that a class has handed in", ".cli.collect"),
    "doctor": ("print versions, devices, weights and missing parts, for a bug report", ".cli.doctor"),
    "docs": ("write the reference pages of the methods and metrics", ".cli.docs"),
    "visualize": ("add the missing feature visualizations to the file that is shipped", ".cli.visualize"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Exits with 0, 2 for wrong input, or 130 after Ctrl-C."""
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "serve")
    parser = argparse.ArgumentParser(
        "camviz", description="See why a convolutional network made its prediction. Without a command: the dashboard."
    )
    parser.add_argument("--version", action="version", version=f"camviz {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    try:
        for name, (sentence, module) in COMMANDS.items():
            command = commands.add_parser(name, help=sentence)
            if name == given[0]:  # importing the others would only take time
                chosen = import_module(module, __package__)
                command.description = chosen.HELP
                chosen.arguments(command)
        namespace = parser.parse_args(given)
        sys.exit(chosen.run(namespace))
    except CamvizError as error:
        print(f"{str(error)[:1].upper()}{str(error)[1:]}.\n{error.help}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # as in `camviz methods | head`; Python flushes at exit, which must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
