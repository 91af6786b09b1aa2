"""The color map setting."""

from typing import Any

from ... import render
from ..session import settings
from ..session.language import said, t


def colour_map() -> str:
    """The colours in which maps are drawn, a key of render.COLOUR_MAPS, as the link and the session say."""
    return str(settings.setting("colours", "cividis", render.COLOUR_MAPS))


def pick_colours(place: Any, **layout: Any) -> None:
    """The picker of `colour_map`."""
    place.selectbox(
        t("Colours"),
        render.COLOUR_MAPS,
        format_func=said,
        key="colours",
        persist_state="session",
        help=t("cividis reads the same with and without red-green deficiency."),
        **layout,
    )
