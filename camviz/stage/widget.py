"""The stage as a widget of a notebook. This module imports anywidget, so it is only imported to show a widget."""

import json
from typing import Any

import anywidget
import traitlets

from . import component


class StageWidget(anywidget.AnyWidget):
    """The stage of the dashboard in a notebook: its data, its look, and the facts below it.

    The look is chosen in the browser, and reaches the notebook file when the notebook is saved.
    """

    _esm = "\n".join(
        (
            f"const STYLE = {json.dumps(component.CSS + component.read('notebook.css'))};",
            f"const MARKUP = {json.dumps(component.HTML)};",
            component.SCRIPT,
            component.read("notebook.js"),
        )
    )
    data = traitlets.Dict().tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    facts = traitlets.Unicode().tag(sync=True)

    def __init__(self, data: dict[str, Any], facts: str) -> None:
        super().__init__(data=data, look=data["look"], facts=facts)
