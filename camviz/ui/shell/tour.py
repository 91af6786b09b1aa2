"""A tour of four steps through the page Explain: each is a card beside the element it explains.

The tour runs in the browser without the server, so it interrupts no computation.
"""

import streamlit as st

from ..components import component
from ..session.language import tr

STEPS = 4
_TARGETS = ("image_strip", "bars", "methods", "quick_check")  # keys of the elements that the steps explain
_ASKED = "_tour"  # in st.session_state: the request for the tour: "" (nothing), "first", or "again" with a number

_card = component("tour")


def offer(page: str) -> None:
    """Offer the tour on a first visit without settings in the link, and draw the button that starts it."""
    state = st.session_state
    if _ASKED not in state:
        state[_ASKED] = "first" if page == "" and not st.query_params.to_dict() else ""
    asked = st.button(
        tr("Tour"),
        key="tour",
        icon=":material/tour:",
        type="tertiary",
        help=tr("Four steps through the page Explain, about a minute."),
        on_click=_again,
    )
    if asked and page != "":
        st.switch_page("pages/explain.py")


def _again() -> None:
    number = int(st.session_state[_ASKED].partition(" ")[2] or 0) + 1
    st.session_state[_ASKED] = f"again {number}"


def step(number: int) -> None:
    """Draw a step's card, 1 to 4, hidden until the tour reaches it; nothing if no tour was started."""
    if not st.session_state[_ASKED]:
        return
    title, text = _texts()[number - 1]
    last = number == STEPS
    data = {
        "step": number,
        "asked": st.session_state[_ASKED],
        "target": _TARGETS[number - 1],
        "name": tr("Tour, step {number} of {steps}", number=number, steps=STEPS),
        "title": f"{number}/{STEPS} {title}.",
        "text": text,
        "next": tr("Done") if last else tr("Next"),
        "skip": "" if last else tr("Skip the tour"),
    }
    _card(key=f"tour_{number}", data=data)


def _texts() -> tuple[tuple[str, str], ...]:
    return (
        (
            tr("Choose an image"),
            tr("Choose a sample, or upload your own image."),
        ),
        (
            tr("Read the predictions"),
            tr("These are the five most probable classes. Click one to explain it."),
        ),
        (
            tr("Choose a method"),
            tr("Each method measures in its own way which parts of the image support the class."),
        ),
        (
            tr("Check the heatmap"),
            tr(
                "A heatmap can look convincing and be wrong. Three tests above measure this one; the page Evaluate "
                "has more."
            ),
        ),
    )
