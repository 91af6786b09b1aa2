"""Explain: why this answer?"""

import streamlit as st

from camviz import render, words
from camviz.ui import controls, grid, panels, proof, recipes, state

experiment = controls.experiment()
st.title("Why this answer?")
left, right = st.columns([2, 3], gap="large")

with left:
    st.subheader("What the network sees")
    st.image(
        experiment.model.view(experiment.picture.image, experiment.fit),
        width="stretch",
        alt=f"{experiment.picture.name}, as the network sees it",
    )
    st.subheader("What it says")
    panels.predictions(experiment.predictions, getattr(experiment.score, "c", None))

with right:
    method = controls.method_picker()
    menu = st.empty()
    knobs = controls.knobs(method)
    colour_map = state.setting("colours", "cividis", render.COLOUR_MAPS)
    opacity = state.setting("opacity", 0.5, state.Span(0, 1), float)
    percentile = state.setting("percentile", 99.0, state.Span(90, 100), float)
    e = panels.explanation(experiment, method, knobs)
    if e is not None:
        panels.overlay(e, panels.key_of(experiment, method, knobs), colour_map, opacity)
        first = experiment.predictions[0]
        st.markdown(words.reading(e, first.label, first.probability))
        st.caption(f"**What it does not say.** {words.caution(e)}")
        for note in e.notes:
            st.info(note)
        proof.show(grid.Cell(experiment, method, knobs))
        if e.knobs.get("feature_map") is not None:
            panels.patch(e, experiment)
    st.selectbox(
        "Colours",
        render.COLOUR_MAPS,
        key="colours",
        help="cividis reads the same with and without red-green deficiency.",
        persist_state="session",
    )

with menu:
    controls.method_menu(panels.refusals(experiment))
if e is not None:
    st.subheader("Other views")
    if e.attribution.ndim == 3:
        st.slider(
            "Cut the grayscale off at this percentile", 90.0, 100.0, step=0.5, key="percentile", persist_state="session"
        )
    panels.views(e, panels.key_of(experiment, method, knobs), colour_map, opacity, percentile)
    panels.further(e, experiment)
    st.subheader("Take it away")
    st.caption(e.facts)
    panels.take_away(e, experiment, colour_map, opacity, percentile)
recipes.load()
