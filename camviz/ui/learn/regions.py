"""A region that a student marks on the image of a lesson before its heatmap is shown."""

from collections.abc import Callable

import streamlit as st

from ... import edits
from ...errors import CamvizError
from ...explanation.question import Question
from ...stage.look import Look
from ..inputs import kept_work
from ..inputs.kept_work import Place
from ..session.language import tr
from ..widgets import drawing
from ..widgets import stage as stages

_REGIONS = "_regions"  # in st.session_state: the packed mask and how often it was sent, by lesson and prompt


def marked(place: Place) -> str:
    """Return the region that is marked now, here or before a reload, packed; "" for none."""
    return _region(place)[0]


def draw(question: Question, place: Place, changed: Callable[[str], None]) -> None:
    """Show the image without its heatmap, to mark a region on it; call `changed` with each region."""
    mask, number = _region(place)

    def keep(mask: str, number: int) -> None:
        _regions()[place] = mask, number
        changed(mask)

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


def _region(place: Place) -> tuple[str, int]:
    """Return the region and how often this tab has sent one."""
    if place in _regions():
        return _regions()[place]
    kept = kept_work.draft(place)
    try:
        edits.unpack(kept)  # type: ignore[arg-type]
    except CamvizError:  # nothing is kept, or something else from before the lesson was changed
        return "", 0
    return str(kept), 0


def _regions() -> dict[Place, tuple[str, int]]:
    found: dict[Place, tuple[str, int]] = st.session_state.setdefault(_REGIONS, {})
    return found
