"""The predictions as bars."""

import streamlit as st

from ...models import Prediction
from ..components import browser
from ..inputs.experiment import Experiment
from ..session.language import tr, tr_class, tr_message
from ..shell import experiment_row
from . import edited
from .edited import Edited


def predictions(experiment: Experiment, shown: tuple[int, ...], edit: Edited | None, listens: str) -> None:
    """Show classes as bars, with the changes by an edit; a click explains that class.

    `listens` is the address of the answers to a drawing, which move the bars.
    """
    chosen = explained(experiment)
    if edit is None:
        rows = [_row(experiment.prediction(index), chosen) for index in shown]
    else:
        rows = edited.rows(experiment.model, shown, chosen, edit.before, edit.after, tr_class)
    label = tr("Top-5 predictions: choose a class to explain")
    browser.bars(label, rows, experiment_row.explain_class, listens)
    if experiment.model.head == "sigmoid":
        st.caption(tr("Each class has its own probability, so the probabilities need not sum to 1."))


def explained(experiment: Experiment) -> int:
    """Return the explained class, the first one of a contrast."""
    return experiment.predictions[0].index if experiment.target < 0 else experiment.target


def best(experiment: Experiment, edit: Edited | None) -> tuple[Prediction, ...]:
    """Return the five most probable classes of the image, after the edit if there is one, best first."""
    if edit is None:
        return experiment.predictions
    order = (-edit.after).argsort(kind="stable")[: len(experiment.predictions)]
    return tuple(experiment.model.prediction(int(index), float(edit.after[index])) for index in order)


def shown_classes(experiment: Experiment) -> tuple[int, ...]:
    """Return the five most probable classes, and the explained one."""
    return tuple(dict.fromkeys((*(one.index for one in experiment.predictions), explained(experiment))))


def _row(one: Prediction, chosen: int) -> dict[str, object]:
    return {
        "id": one.index,
        "label": tr_class(one.label),
        "value": tr_message(one.shown()),
        "share": one.probability if one.probability == one.probability else 0.0,
        "chosen": one.index == chosen,
    }
