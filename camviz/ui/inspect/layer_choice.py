"""The layer that the page Inspect shows."""

from dataclasses import replace

import streamlit as st

from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr
from ..session.markdown import escaped


def inspected(experiment: Experiment) -> Experiment:
    """Return the experiment at its first layer alone."""
    return replace(experiment, layers=experiment.layers[:1], fusion="mean")


def note(experiment: Experiment) -> None:
    """Show a note if the page opens at another layer than the default one, and a button for the latter."""
    default = experiment.model.default_layer
    if experiment.layer == default or settings.is_chosen("layer"):
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(
        tr(
            "The strongest feature maps of the last layer, {last}, all have the same maximum, so this page opens at "
            "{layer}.",
            last=escaped(default),
            layer=escaped(experiment.layer),
        )
    )
    row.button(
        tr("Show {layer}", layer=escaped(default)),
        key="last_layer",
        type="tertiary",
        on_click=settings.choose,
        args=("layer", default),
    )
