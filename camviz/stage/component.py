"""The HTML, CSS and JavaScript of the stage, for the dashboard and for notebooks."""

from pathlib import Path

HERE = Path(__file__).parent


def read(file: str) -> str:
    """Return the text of a file in this folder."""
    return (HERE / file).read_text(encoding="utf-8")


HTML, CSS = read("stage.html"), read("stage.css")
SCRIPT = read("stage.js") + read("brush.js")
