"""The feature maps of the inspected layer, their order, and the selected one."""

from dataclasses import replace
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.question import Question
from ...inspection.feature_maps import FeatureMaps, Float, SortOrder, feature_maps, relevance_shares
from ...methods.lrp import composites
from ...registry import METHODS
from ...scores import contrast
from ..inputs.experiment import Experiment
from ..server.queue import compute_queue
from ..server.store import result_store
from ..session.language import error_text, tr, tr_message
from ..session.settings import Span, setting

SORT_ORDERS: dict[SortOrder, str] = {
    "strength": "Strength",
    "weight": "Weight for the class",
    "relevance": "Relevance",
    "number": "Number",
}


def maps_of(experiment: Experiment) -> FeatureMaps | None:
    """Return the layer's feature maps and their weights; None, with a message, if there are none.

    If they are sorted by relevance, the shares are included; a message says if there are none.
    """
    if not experiment.layer:
        st.info(tr("This model has no layer with spatial feature maps."))
        return None
    key = key_of(experiment), experiment.score
    try:
        found = result_store().once(("feature maps", *key), lambda: _maps(experiment))
    except CamvizError as error:
        st.error(error_text(error))
        return None
    if setting("sort", "strength", SORT_ORDERS) != "relevance":
        return found
    try:
        shares = result_store().once(("relevance of feature maps", *key), lambda: _relevances(experiment))
    except CamvizError as error:
        st.error(error_text(error))
        return found
    return replace(found, relevances=shares)


def _maps(experiment: Experiment) -> FeatureMaps:
    model = experiment.model
    with compute_queue().turn(lambda _: None):
        return feature_maps(model.net, experiment.x, experiment.score, model.module(experiment.layer))


def _relevances(experiment: Experiment) -> Float:
    model, rules = experiment.model, composites()[METHODS["concept_relevance"].settings({})["composite"]]
    with compute_queue().turn(lambda _: None):
        return relevance_shares(model.net, experiment.x, experiment.score, model.module(experiment.layer), rules)


def order(found: FeatureMaps) -> SortOrder:
    """Return the order in which the feature maps are shown: the chosen one, or strength without shares of relevance."""
    by: SortOrder = st.session_state["sort"]  # `maps_of` has read the setting
    return "strength" if by == "relevance" and found.relevances is None else by


def chosen_channel(experiment: Experiment, found: FeatureMaps) -> int:
    """Return the number of the selected feature map: the one in the link, or the first in the selected order."""
    of = experiment.model.name, experiment.layer
    if st.session_state.get("maps_of", of) != of:
        st.session_state["map"], st.session_state["maps"] = None, 1
    st.session_state["maps_of"] = of
    by = order(found)
    number = setting("map", None, Span(0, len(found.maps) - 1, optional=True), int)
    return int(found.order(by)[0]) if number is None else int(number)


def through_channel(experiment: Experiment, number: int) -> Question:
    """Return the question for the pixels that contribute to the score through one feature map. Raises CamvizError."""
    method = METHODS["concept_relevance"]
    return experiment.question(method, method.settings({"channel": number}))


def class_name(experiment: Experiment) -> str:
    """Return the name of the explained class."""
    score, names = experiment.score, experiment.model.categories
    if isinstance(score, contrast):
        return tr("{label} rather than {rival}", label=names[score.a], rival=names[score.b])
    return tr_message(names[getattr(score, "c", 0)])


def key_of(experiment: Experiment) -> tuple[Any, ...]:
    """Return the cache key of a layer's feature maps: image, fit, model, layer."""
    return *experiment.key, experiment.layer
