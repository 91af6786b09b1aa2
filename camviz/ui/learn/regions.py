"""A region that a student marks on the image of a lesson before its heatmap is shown."""

import streamlit as st

from ...explanation.question import Question
from ...stage.look import Look
from ..session.language import tr
from ..widgets import drawing
from ..widgets import stage as stages

_REGIONS = "_regions"  # in st.session_state: the packed mask and how often it was sent, by lesson and prompt
Place = tuple[int, int]


def marked(place: Place) -> str:
    """Return the region that is marked now, packed; "" for none."""
    return str(_regions().get(place, ("", 0))[0])


def draw(question: Question, place: Place) -> None:
    """Show the image without its heatmap, to mark a region on it."""
    mask, number = _regions().get(place, ("", 0))

    def keep(mask: str, number: int) -> None:
        _regions()[place] = mask, number

    stages.stage(
        f"lesson.region.{place[0]}.{place[1]}",
        stages.original_of(question),
        question.model.input_size,
        None,
        Look(),
        tr("Image without heatmap: mark a region on it"),
        group="lesson.region",
        drawing=drawing.region(mask, ("look", "mark"), number, keep),
    )


def shown(mask: str) -> stages.Drawing:
    """Return the drawing of the border of a guessed region over its heatmap."""
    return drawing.region(mask, ("look",))


def _regions() -> dict[Place, tuple[str, int]]:
    found: dict[Place, tuple[str, int]] = st.session_state.setdefault(_REGIONS, {})
    return found
