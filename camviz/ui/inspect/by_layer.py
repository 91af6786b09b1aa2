"""Reconstructions of one image from several layers, on the page Inspect."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...feature_visualization import Synthesis
from ...feature_visualization.inversion import correlation
from ..server import tasks
from ..server.queue import ReportProgress
from ..server.store import result_store
from ..session import settings
from ..session.language import error_text, tr
from ..session.markdown import escaped
from .synthesis_request import SynthesisRequest, compute, expected_seconds, known

MOST_DEPTHS = 8  # layers side by side


def draw(request: SynthesisRequest) -> None:
    """Show the reconstructions of the image from several layers, side by side."""
    experiment = request.experiment
    names = [layer.name for layer in experiment.model.layers]
    ends = {layer.stage: layer.name for layer in experiment.model.layers if layer.main}
    layers = settings.many("dream.layers", list(ends.values())[:4], names, MOST_DEPTHS)
    st.multiselect(
        tr("Layers"),
        names,
        key="dream.layers",
        placeholder=tr("Choose options"),
        max_selections=MOST_DEPTHS,
        persist_state="session",
        help=tr("The layers from which the image is reconstructed, one at a time."),
    )
    requests = [SynthesisRequest(experiment, request.method, layer, None, None, request.knobs) for layer in layers]
    box = st.grid(min_column_width=180)
    places = [box.empty() for _ in requests]
    found = [known(one) for one in requests]
    view = experiment.view

    def fill(place: Any, one: SynthesisRequest, s: Synthesis) -> None:
        with place.container():
            alt = tr("Reconstruction from {layer}", layer=one.layer)
            st.image(encode.jpeg(s.image), alt=alt, width="stretch")
            alike = tr("correlation {correlation}", correlation=f"{correlation(view, s.image):.2f}")
            st.caption(f"**{escaped(str(one.layer))}**  \n{alike}")

    for place, one, s in zip(places, requests, found, strict=True):
        if s is not None:
            fill(place, one, s)
        else:
            place.caption(tr("{layer}: not computed yet", layer=escaped(str(one.layer))))
    missing = [(place, one) for place, one, s in zip(places, requests, found, strict=True) if s is None]
    if missing:
        try:
            _fill(missing, fill)
        except CamvizError as error:
            st.error(error_text(error))


def _fill(
    missing: Sequence[tuple[Any, SynthesisRequest]], fill: Callable[[Any, SynthesisRequest, Synthesis], None]
) -> None:
    """Compute the missing images one by one after a click; finished ones are kept."""
    seconds = [expected_seconds(request) for _, request in missing]

    def work(report: ReportProgress) -> bool:
        for (place, request), part in zip(missing, tasks.parts_of(report, seconds), strict=True):
            text = f"{escaped(str(request.layer))}: {{left}}"
            fill(place, request, result_store().put(request.key, compute(request, part, text=text)))
        return True

    tasks.run(
        "dream.depths",
        ("syntheses", *(request.key for _, request in missing)),
        sum(seconds),
        tr("Reconstruct the missing images: {count}", count=len(missing)),
        work,
        ask="always",
        kind="secondary",
        keep=False,
        keeps=tr("Keeps the finished images."),
    )
