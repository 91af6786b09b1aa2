"""`camviz collect FOLDER`: a table and a page of the files that a class has handed in."""

import argparse
from functools import partial
from pathlib import Path

from ..teaching.collecting import collect
from ..teaching.lessons import FOLDER, lessons
from ..ui.session.language import LANGUAGES, translated

HELP = "Makes a table (CSV) and a page (HTML) of the files that a class has handed in on Learn."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", type=Path, help="the folder with the HTML files of the class")
    parser.add_argument(
        "--output", type=Path, default=Path("class.html"), help="the page (class.html); the table is written beside it"
    )
    parser.add_argument("--lessons", type=Path, default=FOLDER, help="the folder of the lessons, if they are your own")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="language of the page (en)")


def run(given: argparse.Namespace) -> int:
    """Write both files."""
    page = given.output.with_suffix(".html")
    found = collect(given.folder, lessons(given.lessons, given.language), besides=page)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(found.to_html(given.language, partial(translated, language=given.language)), encoding="utf-8")
    table = page.with_suffix(".csv")
    table.write_text(found.to_csv(), encoding="utf-8-sig")  # spreadsheets need the mark to read more than ASCII
    for sentence in found.refused:
        print(f"Left out: {sentence}.")
    print(f"{found.summary} Wrote {page} and {table}.")
    return 0
