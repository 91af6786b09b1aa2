"""Explanations of an experiment: what identifies one, computing it in turn, how long that takes, where it cannot be."""

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.explain import estimate, explain
from ...explanation.explanation import Explanation
from ...messages import Message
from ...registry import METHODS, Method
from ..inputs.experiment import Experiment
from ..server import queue, store, tasks
from ..server.store import result_store
from ..server.tasks import PATIENCE, ReportProgress
from ..session.language import error_text, tr, tr_message

FEW = 6  # forward passes' time that a method of few passes takes, its backward pass and its map included


def key_of(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> tuple[Any, ...]:
    """What identifies a result: the picture's content and every setting, never an object."""
    layer = experiment.layer if method.layer != "none" else None
    return (
        experiment.picture.digest,
        experiment.fit,
        tasks.network_key(experiment.model),
        method.key,
        layer,
        experiment.fuse,
        repr(experiment.score),
        tuple(sorted(knobs.items(), key=str)),
    )


def compute(experiment: Experiment, method: Method, knobs: Mapping[str, Any], report: ReportProgress) -> Explanation:
    """The explanation, from the store or computed now; `report` is where a rerun of the page ends it."""
    key = key_of(experiment, method, knobs)
    store = result_store()
    if (found := store.get(key)) is not None:
        return found

    def waiting(before: int) -> None:
        report(0.0, tr("{count} before you", count=before))

    with store.claim(key, waiting), queue.compute_queue().turn(waiting) as let_others:
        if (found := store.get(key)) is not None:
            return found
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            let_others()
            if not done:
                report(0.0, tr("starts"))
                return
            left = (time.monotonic() - started) * (total - done) / done
            told = tr("{done} of {total}: about {seconds} s left", done=done, total=total, seconds=f"{left:.0f}")
            report(done / total, told)

        found = explain(
            experiment.model,
            experiment.picture.image,
            method.key,
            experiment.score,
            (experiment.layer or None) if method.layer != "none" else None,
            fit=experiment.fit,
            fuse=experiment.fuse,
            progress=progress,
            **knobs,
        )
    store.put(key, found)
    store.took(_duration_key(experiment, method, knobs), found.seconds)
    return found


def expected(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> float:
    """The seconds that it will take: 0 where it is in the store, or where the method needs only a few passes."""
    if not method.many_passes or store.result_store().get(key_of(experiment, method, knobs)) is not None:
        return 0.0
    return duration(experiment, method, knobs)


def duration(experiment: Experiment, method: Method, knobs: Mapping[str, Any], few: float = FEW) -> float:
    """About how many seconds the method takes here, whether or not its map is in the store.

    `few`: how many forward passes' time a method of few passes is taken to need.
    """
    if not method.many_passes:
        return few * tasks.seconds_of_pass(experiment.model)

    def measure() -> float:
        with queue.compute_queue().turn(lambda _: None):
            return estimate(
                experiment.model,
                experiment.picture.image,
                method.key,
                experiment.layer or None,
                fit=experiment.fit,
                **knobs,
            )

    return store.result_store().seconds(_duration_key(experiment, method, knobs), measure)


def _duration_key(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> tuple[Any, ...]:
    return ("seconds", *key_of(experiment, method, knobs)[2:5], tuple(sorted(knobs.items(), key=str)))


def refusals(experiment: Experiment) -> dict[str, str]:
    """The methods that cannot be used on this network at this layer, each with the reason."""
    model = experiment.model
    return _refusals((model.name, model.weights), experiment.layer, experiment)


@st.cache_data(show_spinner=False, max_entries=500)
def _refusals(network: Any, layer: str, _experiment: Experiment) -> dict[str, str]:
    found: dict[str, str] = {}
    for method in METHODS.values():
        if method.layer == "required" and not layer:
            found[method.key] = Message("it needs a layer of feature maps, and this network has none")
        elif method.requires:
            try:
                compute(_experiment, method, method.settings({}), lambda *_: None)
            except CamvizError as error:
                found[method.key] = error.message
    return found


def explanation(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> Explanation | None:
    """Compute what the page asks for: at once where it is fast, after a click where it is slow. None: not (yet)."""
    place = st.container()
    try:
        seconds = expected(experiment, method, knobs)
        if seconds > PATIENCE:
            title = tr_message(method.title)
            place.info(tr("{method} will take about {seconds} s here.", method=title, seconds=f"{seconds:.0f}"))
            if not place.button(tr("Compute {method}", method=title), type="primary", key="compute"):
                return None
            place.button(tr("Cancel"), key="cancel", shortcut="Esc", help=tr("Changing any setting also stops it."))
        bar = place.empty()
        found = compute(experiment, method, knobs, bar.progress)
        bar.empty()
        return found
    except CamvizError as error:
        place.error(error_text(error))
        return None
