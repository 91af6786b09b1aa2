"""The button that pins a heatmap on Explain, to compare it with others later."""

import streamlit as st

from ...explanation.explanation import Explanation
from ..inputs import pins
from ..inputs.experiment import Experiment
from ..session.language import tr
from ..shell import pages


def draw(experiment: Experiment, e: Explanation) -> None:
    """Draw the button that pins the heatmap, and one that compares all pinned ones."""
    pinned = pins.pins()
    if e.question.class_index is not None:
        pin = pins.Pin.of(experiment, e.question.class_index, e.question.method)
        st.button(
            tr("Unpin") if pin in pinned else tr("Pin"),
            key="pin",
            icon=":material/keep_off:" if pin in pinned else ":material/keep:",
            on_click=pins.toggle,
            args=(pin,),
            help=tr("Keeps this heatmap, with the method's default settings, for the page Compare."),
        )
    if len(pinned) > 1:
        label = tr("Compare {count} pins", count=len(pinned))
        pages.open_button("compare_pins", "compare", label, {"rows": "none", "columns": "pins"})
