"""Explain: one heatmap of one image."""

import streamlit as st

from camviz import captions
from camviz.ui.explain import map_views, method_extras, predictions
from camviz.ui.inputs import recipe_input
from camviz.ui.results import explanations
from camviz.ui.session import settings
from camviz.ui.session.language import tr, tr_message
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages, tour
from camviz.ui.widgets import colors, method_picker, patch, quick_check

experiment = pages.experiment()
st.title(tr("Explain"))
st.caption(tr("See which parts of the image support the class that the model predicts, or any other class."))
tour.step(1)
left, right = st.columns([2, 3], gap="large")

with left:
    st.header(tr("Input"))
    st.image(
        predictions.seen(experiment),
        width="stretch",
        alt=tr("{picture}, as the model receives it", picture=experiment.image.name),
    )
    st.header(tr("Predictions"))
    tour.step(2)
    predictions.predictions(experiment.predictions, getattr(experiment.score, "c", None))

with right:
    tour.step(3)
    question, menu = method_picker.ask(experiment, menu=True)
    color_map = colors.color_map()
    opacity = settings.setting("opacity", 0.5, settings.Span(0, 1), float)
    percentile = settings.setting("percentile", 99.0, settings.Span(90, 100), float)
    e = explanations.explanation(question) if question else None
    if e is not None:
        map_views.overlay(e, color_map, opacity)
        first = experiment.predictions[0]
        st.markdown(escaped(tr_message(captions.reading(e, first))))
        st.caption(tr("**Limitations.** {caution}", caution=tr_message(captions.caution(e))))
        for note in e.notes:
            st.info(escaped(tr_message(note)))
        quick_check.show(e.question)
        if e.knobs.get("feature_map") is not None:
            patch.patch(e)
    tour.step(4)
    colors.pick_colors(st)

with menu:
    method_picker.method_menu(lambda: explanations.refusals(experiment))
if e is not None:
    st.header(tr("Other views"))
    if e.attribution.ndim == 3:
        st.slider(
            tr("White point (percentile)"),
            90.0,
            100.0,
            step=0.5,
            key="percentile",
            persist_state="session",
            help=tr(
                "Values above this percentile are shown in white; otherwise a few strong pixels would make "
                "the rest look black."
            ),
        )
    map_views.views(e, color_map, opacity, percentile)
    method_extras.draw(e, experiment)
    st.header(tr("Download"))
    st.caption(tr_message(e.facts))
    map_views.show_downloads(e, experiment, color_map, opacity, percentile)
recipe_input.load()
