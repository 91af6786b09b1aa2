"""Self-contained HTML files of a class: the hand-in of a student, and the results of a class."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent
STYLE = HERE.parent / "report.css"


def html_page(template: str, language: str, translate: Callable[[str], str], **values: Any) -> str:
    """Return a template of this folder with all values, escaped. `language`: the value of HTML's `lang`."""
    style = Markup(STYLE.read_text(encoding="utf-8"))  # trusted, so it is not escaped
    return _templates().get_template(template).render(language=language, tr=translate, style=style, **values)


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
