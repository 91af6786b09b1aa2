"""The layer that the page Inspect shows."""

from dataclasses import replace

import streamlit as st

from ..inputs.experiment import Experiment
from ..inputs.opening_layer import opening_layer
from ..session import settings
from ..session.language import tr
from ..session.markdown import escaped


def inspected(experiment: Experiment) -> Experiment:
    """Return the experiment at one layer: the chosen one, or the opening layer of its model and image.

    The default layer of the heatmaps stays as it is on the other pages. If it was chosen, the link says so.
    """
    model = experiment.model
    experiment = replace(experiment, layers=experiment.layers[:1], fusion="mean")
    if experiment.layer != model.default_layer or not experiment.layer:
        return experiment
    if settings.is_chosen("layer"):
        settings.keep_in_link("layer")
        return experiment
    return replace(experiment, layers=(opening_layer(model, experiment.image.decoded, experiment.fit),))


def note(experiment: Experiment) -> None:
    """Say why another layer than the default one is shown, and offer that one."""
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
