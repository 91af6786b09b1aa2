"""Share a trained model with the room that the visitor is in."""

from typing import Any

import streamlit as st

from ...errors import CamvizError
from ..inputs import membership, room_models
from ..session.language import error_text, tr
from .runs import Run

_REFUSED = "_share_refused"  # in st.session_state: why the last click was refused


def draw(run: Run, row: Any) -> None:
    """Draw the button that shares the model of a run in a row of buttons, for a visitor who is in a room."""
    seat = membership.seat()
    if seat is None:
        return
    is_shared = room_models.is_shared(run.base.name, run.trained.model)
    row.button(
        tr("Shared in the room {code}", code=seat.code)
        if is_shared
        else tr("Share in the room {code}", code=seat.code),
        icon=":material/check:" if is_shared else ":material/groups:",
        key="train_share",
        disabled=is_shared,
        on_click=_share,
        args=(run,),
        help=tr(
            "Everybody in the room can then choose your model on every page, until the room ends. Only the class names "
            "and the new layer are shared, no image. A later model replaces it."
        ),
    )
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(error_text(refused))


def _share(run: Run) -> None:
    try:
        room_models.share(run.base.name, run.trained.model)
    except CamvizError as error:
        st.session_state[_REFUSED] = error
