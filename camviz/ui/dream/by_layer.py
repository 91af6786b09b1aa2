"""Reconstructions of one image from several layers, on the page Dream."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...feature_visualization import Synthesis
from ...feature_visualization.inversion import correlation
from ...text import duration_text
from ..server import tasks
from ..session import settings
from ..session.language import error_text, tr
from ..session.markdown import escaped
from .synthesis_request import RGB, SynthesisRequest, compute, expected, finished_syntheses

MOST_DEPTHS = 8  # layers side by side


def draw(wish: SynthesisRequest) -> None:
    """Show the reconstructions of the image from several layers, side by side."""
    experiment = wish.experiment
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
    wishes = [SynthesisRequest(experiment, wish.method, layer, None, None, wish.knobs) for layer in layers]
    box = st.grid(min_column_width=180)
    places = [box.empty() for _ in wishes]
    found = [finished_syntheses().get(one.key) for one in wishes]
    view = experiment.model.view(experiment.picture.image, experiment.fit)

    def fill(place: Any, one: SynthesisRequest, s: Synthesis) -> None:
        with place.container():
            alt = tr("Reconstruction from {layer}", layer=one.layer)
            st.image(encode.jpeg(s.picture), alt=alt, width="stretch")
            alike = tr("correlation {correlation}", correlation=f"{correlation(view, s.picture):.2f}")
            st.caption(f"**{escaped(str(one.layer))}**  \n{alike}")

    for place, one, s in zip(places, wishes, found, strict=True):
        if s is not None:
            fill(place, one, s)
        else:
            place.caption(tr("{layer}: not computed yet", layer=escaped(str(one.layer))))
    missing = [(place, one) for place, one, s in zip(places, wishes, found, strict=True) if s is None]
    if missing:
        try:
            _fill(missing, fill)
        except CamvizError as error:
            st.error(error_text(error))


def _fill(
    missing: Sequence[tuple[Any, SynthesisRequest]], fill: Callable[[Any, SynthesisRequest, Synthesis], None]
) -> None:
    """Compute the missing images one by one after a click; finished ones are kept."""
    button, bar = st.empty(), st.empty()
    seconds = sum(expected(wish) for _, wish in missing)
    what = tr("Reconstruct the missing images: {count} (about {time})", count=len(missing), time=duration_text(seconds))
    if not tasks.clicked(button, "dream.depths", what, "secondary"):
        return
    button.button(tr("Cancel"), key="dream.depths.cancel", shortcut="Esc", help=tr("Keeps the finished images."))
    for place, wish in missing:

        def report(done: int, total: int, frame: RGB, left: float, layer: Any = wish.layer) -> None:
            told = tr("{layer}: about {time} left", layer=escaped(str(layer)), time=duration_text(left))
            bar.progress(done / total, told)

        fill(
            place,
            wish,
            compute(
                wish, report, lambda before: bar.progress(0.0, tr("{count} ahead of you in the queue", count=before))
            ),
        )
    button.empty()
    bar.empty()
