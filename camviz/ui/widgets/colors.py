"""The color map setting."""

from typing import Any

from ... import render
from ..session import settings
from ..session.language import tr, tr_message

DEFAULT = "inferno"


def color_map() -> str:
    """Return the selected color map, a key of render.COLOR_MAPS."""
    return str(settings.setting("colors", DEFAULT, render.COLOR_MAPS))


def pick_colors(place: Any, **layout: Any) -> None:
    """Draw the picker of `color_map`."""
    place.selectbox(
        tr("Color map"),
        render.COLOR_MAPS,
        format_func=tr_message,
        key="colors",
        persist_state="session",
        help=tr("cividis looks nearly the same with and without red-green color blindness."),
        **layout,
    )
