"""Explanations on a page: computed in the queue, kept for all visitors."""

from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.explain import answer
from ...explanation.explanation import Explanation, Result
from ...explanation.question import Question
from ...messages import Message
from ...registry import METHODS
from ..inputs.experiment import Experiment
from ..server import tasks
from ..server.kept_passes import reusing
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session.language import error_text, tr, tr_message
from . import cost


def known(question: Question) -> Explanation | None:
    """Return the explanation if it was computed before, for any visitor."""
    result = result_store().get(question.key)
    return None if result is None else Explanation(question, result)


def untouched(question: Question) -> Explanation | None:
    """Return the explanation of the image without the edit of a question, if there is one and it was computed."""
    return known(question.replace(edit=None)) if question.edit else None


def compute(question: Question, report: ReportProgress = lambda *_, **__: None) -> Explanation:
    """Return the explanation, from the store or computed now; a rerun of the page ends it in `report`."""
    return Explanation(question, tasks.once(question.key, lambda report: _computed(question, report), report))


def _computed(question: Question, report: ReportProgress) -> Result:
    with in_queue(report) as progress, reusing(question.model):
        found = answer(question, progress)
    result_store().took(cost.duration_key(question), found.seconds)
    return found.result


def expected_seconds(question: Question) -> float:
    """Return the seconds that it will take: 0 if it is in the store, or if the method needs only a few passes."""
    if not question.method.many_passes or known(question) is not None:
        return 0.0
    return cost.explanation_seconds(question)


def explanation(question: Question) -> Explanation | None:
    """Return the explanation: at once if it is quick, else after a click. None: not yet, or refused."""
    place = st.container()
    try:
        what = tr("Run {method}", method=tr_message(question.method.title))
        return after_click(question, "explanation", what, place)
    except CamvizError as error:
        place.error(error_text(error))
        return None


def after_click(question: Question, name: str, what: str, place: Any = None) -> Explanation | None:
    """Return the explanation, after a click on `what` if it takes long. Raises CamvizError if it is refused."""
    result = tasks.run(
        name, question.key, expected_seconds(question), what, lambda report: _computed(question, report), place=place
    )
    return None if result is None else Explanation(question, result)


def refusals(experiment: Experiment) -> dict[str, str]:
    """Return the methods that cannot be used on this model at this layer, each with the reason."""
    return result_store().once(
        ("refusals", experiment.model.key, experiment.layers), lambda: dict(_refusals(experiment))
    )


def _refusals(experiment: Experiment) -> Any:
    for method in METHODS.values():
        if method.layer == "required" and not experiment.layers:
            yield method.key, Message("it needs a layer with feature maps, and this model has none")
        elif method.requires:
            try:
                compute(experiment.question(method))
            except CamvizError as error:
                yield method.key, error.message
