"""What Explain shows beyond a map: the patch behind a projection, fast against exact, the class at each place."""

from typing import Any

import streamlit as st

from .. import export, figures, render
from ..evaluation.agreement import rank_correlation
from ..explanation import Explanation
from ..occlusion_maps import occlusion_maps
from ..receptive_field import Box, receptive_field, strongest
from ..registry import METHODS
from . import cache, panels, results, tasks
from .controls import Experiment
from .language import said_in, t
from .markdown import escaped
from .tasks import Report


def draw(e: Explanation, experiment: Experiment) -> None:
    """What a method can show beyond its map, each after a click."""
    if e.knobs.get("mode") == "fast":
        _fast_against_exact(e, experiment)
    if e.method == "occlusion":
        _class_map(e, experiment)


def patch(e: Explanation, experiment: Experiment) -> None:
    """The activation that was projected back, beside the part of the picture that it can see; for one layer only."""
    if "," in str(e.layer):
        return
    box, row, column = _patch(repr(results.key_of(experiment, METHODS[e.method], e.knobs)), e, experiment)
    top, left, bottom, right = box
    found, projected = st.columns(2)
    for place, picture, name in (
        (found, e.view, t("The picture, in the receptive field")),
        (projected, render.colour(e.attribution), t("Projected back, in the receptive field")),
    ):
        place.image(export.png(picture[top:bottom, left:right]), alt=name, width="stretch")
        size = t(" ({width} x {height} pixels)", width=right - left, height=bottom - top)
        place.caption(f"{name}{size}")
    st.caption(
        t(
            "Feature map {number} of {layer}, its activation in row {row}, column {column}.",
            number=e.knobs["feature_map"],
            layer=escaped(str(e.layer)),
            row=row,
            column=column,
        )
    )


@st.cache_data(show_spinner=False, max_entries=200)
def _patch(key: str, _e: Explanation, _experiment: Experiment) -> tuple[Box, int, int]:
    model, knobs = _experiment.model, _e.knobs
    layer, x = model.module(str(_e.layer)), model.preprocess(_experiment.picture.image, _experiment.fit)
    with cache.turns().turn(lambda _: None):
        row, column = strongest(model.net, x, layer, knobs["feature_map"], knobs["row"], knobs["column"])
        return receptive_field(model.net, x, layer, row, column), row, column


def _fast_against_exact(e: Explanation, experiment: Experiment) -> None:
    method, knobs = METHODS[e.method], {**e.knobs, "mode": "exact"}
    seconds = results.expected(experiment, method, knobs)
    exact = tasks.run(
        "exact",
        ("exact", *results.key_of(experiment, method, knobs)),
        seconds,
        t("Check the fast map against the exact one"),
        lambda report: results.compute(experiment, method, knobs, report),
    )
    if exact is not None:
        agreement = rank_correlation(e.attribution, exact.attribution)
        st.caption(
            t(
                "Fast against exact: rank correlation {agreement}, in {fast} s instead of {exact} s "
                "(1 = the same order of all places).",
                agreement=f"{agreement:.3f}",
                fast=f"{e.seconds:.1f}",
                exact=f"{exact.seconds:.1f}",
            )
        )


def _class_map(e: Explanation, experiment: Experiment) -> None:
    model, knobs = experiment.model, e.knobs

    def work(report: Report) -> Any:
        x = model.preprocess(experiment.picture.image, experiment.fit)
        with tasks.turn(report) as progress:
            index = e.target if e.target is not None else experiment.predictions[0].index
            return occlusion_maps(
                model.net, x, index, size=knobs["size"], stride=knobs["stride"], progress=progress
            ).category[0]

    key = ("class map", *results.key_of(experiment, METHODS[e.method], knobs))
    found = tasks.run("places", key, e.seconds, t("Show what it says with the square at each place"), work)
    if found is not None:
        st.plotly_chart(
            said_in(figures.class_map(found.cpu().numpy(), model.categories, panels.ink())),
            alt=t("The most probable class with the grey square over each place of the picture, as letters"),
            config={"displayModeBar": False},
        )
        st.caption(
            t(
                "The most probable class while the grey square hides that place of the picture "
                "(Zeiler & Fergus, 2014). These are names, not amounts."
            )
        )
