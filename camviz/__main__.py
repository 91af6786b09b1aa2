"""`python -m camviz explain FOLDER`: many pictures. `methods`: the table of methods that stands in the README."""

import argparse
import sys

from .batch import cli
from .registry import FAMILIES, METHODS


def methods_table() -> str:
    """All methods as a Markdown table, by family."""
    rows = ["| key | method | what it shows | family | layer | passes |", "|---|---|---|---|---|---|"]
    order = list(FAMILIES)
    for method in sorted(METHODS.values(), key=lambda method: (order.index(method.family), method.title)):
        passes = "many" if method.many_passes else "one or two"
        rows.append(
            f"| `{method.key}` | [{method.title}]({method.paper}) | {method.tooltip} | {method.family} "
            f"| {method.layer} | {passes} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser("python -m camviz", description="CamViz on the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("methods", help="print the table of methods as Markdown")
    cli.arguments(commands.add_parser("explain", help="explain all pictures of a folder", description=cli.HELP))
    given = parser.parse_args()
    if given.command == "methods":
        print(methods_table())
    else:
        sys.exit(cli.run(given))


if __name__ == "__main__":
    main()
