"""HTML files of a class, each of which needs nothing else: what a student hands in, and what a class has guessed."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent
STYLE = HERE.parent / "report.css"


def html_page(template: str, language: str, translate: Callable[[str], str], **values: Any) -> str:
    """Return a template of this folder, filled in; every value is escaped. `language`: the value of HTML's `lang`."""
    style = Markup(STYLE.read_text(encoding="utf-8"))  # not escaped: it is CamViz's own
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
