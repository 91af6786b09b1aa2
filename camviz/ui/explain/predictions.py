"""The predictions as bars."""

import streamlit as st

from ...models import Prediction
from ..components import browser
from ..inputs.experiment import Experiment
from ..session.language import tr, tr_class, tr_message
from ..shell import experiment_row


def predictions(experiment: Experiment) -> None:
    """Show the most probable classes and the explained one as bars; a click explains that class."""
    found, chosen = experiment.predictions, getattr(experiment.score, "c", experiment.target)
    if chosen >= 0 and chosen not in [one.index for one in found]:
        found = (*found, experiment.prediction(chosen))
    browser.bars(
        tr("Top-5 predictions: choose a class to explain"),
        [_row(one, chosen) for one in found],
        experiment_row.explain_class,
    )
    if experiment.model.head == "sigmoid":
        st.caption(tr("Each class has its own probability, so the probabilities need not sum to 1."))


def _row(one: Prediction, chosen: int) -> dict[str, object]:
    return {
        "id": one.index,
        "label": tr_class(one.label),
        "value": tr_message(one.shown()),
        "share": one.probability if one.probability == one.probability else 0.0,
        "chosen": one.index == chosen,
    }
