"""Which settings of a page lack a help text."""

from collections.abc import Iterator
from typing import Any

from streamlit.testing.v1 import AppTest

KINDS = (
    *("selectbox", "multiselect", "slider", "select_slider", "number_input", "toggle", "checkbox", "radio"),
    *("button_group", "text_input", "file_uploader", "camera_input"),
)
HELP_ABOVE = {"rows.layers", "columns.methods"}  # the label is hidden, the selector above has the help text
HELP_BELOW = {"favorite"}
CLEAR_LABELS = {"lang", "part", "inside", "test", "perturb", "corruption", "chapter", "course", "room_code."}
CLEAR_LABELS |= {"camera_on", "camera"}


def settings_of(app: AppTest) -> Iterator[tuple[str, Any]]:
    """Yield every input widget of a page by its key."""
    for kind in KINDS:
        for widget in app.get(kind):
            proto = getattr(widget, "proto", None)
            if proto is not None:
                yield getattr(widget, "key", None) or proto.label, proto


def is_hidden(proto: Any) -> bool:
    """Return whether the label, and the help with it, is hidden."""
    return bool(getattr(getattr(proto, "label_visibility", None), "value", 0))


def settings_without_help(app: AppTest) -> set[str]:
    """Return the keys of the settings of a page that need a help text and have none."""
    without = {key for key, proto in settings_of(app) if not proto.help or is_hidden(proto)}
    return without - HELP_ABOVE - HELP_BELOW - CLEAR_LABELS
