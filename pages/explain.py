"""Explain: why this answer?"""

import streamlit as st

from camviz import words
from camviz.ui import axes, controls, further, looks, methods, panels, proof, recipes, results, state, tour
from camviz.ui.language import said, t
from camviz.ui.markdown import escaped

experiment = controls.experiment()
st.title(t("Why this answer?"))
tour.step(1)
left, right = st.columns([2, 3], gap="large")

with left:
    st.header(t("What the network sees"))
    st.image(
        panels.seen(experiment),
        width="stretch",
        alt=t("{picture}, as the network sees it", picture=experiment.picture.name),
    )
    st.header(t("What it says"))
    tour.step(2)
    panels.predictions(experiment.predictions, getattr(experiment.score, "c", None))

with right:
    tour.step(3)
    method = methods.method_picker()
    menu = st.empty()
    knobs = methods.knobs(method)
    colour_map = looks.colour_map()
    opacity = state.setting("opacity", 0.5, state.Span(0, 1), float)
    percentile = state.setting("percentile", 99.0, state.Span(90, 100), float)
    e = panels.explanation(experiment, method, knobs)
    if e is not None:
        panels.overlay(e, results.key_of(experiment, method, knobs), colour_map, opacity)
        first = experiment.predictions[0]
        st.markdown(escaped(said(words.reading(e, first.label, first.probability))))
        st.caption(t("**What it does not say.** {caution}", caution=said(words.caution(e))))
        for note in e.notes:
            st.info(escaped(said(note)))
        proof.show(axes.Cell(experiment, method, knobs))
        if e.knobs.get("feature_map") is not None:
            further.patch(e, experiment)
    tour.step(4)
    looks.pick_colours(st)

with menu:
    methods.method_menu(lambda: results.refusals(experiment))
if e is not None:
    st.header(t("Other views"))
    if e.attribution.ndim == 3:
        st.slider(
            t("Cut the grayscale off at this percentile"),
            90.0,
            100.0,
            step=0.5,
            key="percentile",
            persist_state="session",
            help=t("The few strongest pixels would make all others look black: those above are shown as white."),
        )
    panels.views(e, results.key_of(experiment, method, knobs), colour_map, opacity, percentile)
    further.draw(e, experiment)
    st.header(t("Take it away"))
    st.caption(said(e.facts))
    panels.take_away(e, experiment, colour_map, opacity, percentile)
recipes.load()
