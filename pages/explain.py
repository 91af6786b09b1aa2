"""Explain: one heatmap of one image."""

import streamlit as st

from camviz import captions
from camviz.ui.explain import drawings, edit_result, hide_region, map_views, method_extras, pin_button, predictions
from camviz.ui.inputs import recipe_input
from camviz.ui.results import explanations
from camviz.ui.session import settings
from camviz.ui.session.language import tr, tr_message
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages, tour
from camviz.ui.widgets import method_picker, patch, quick_check, stage

experiment = pages.experiment()
tour.step(1)
shown, chosen = predictions.shown_classes(experiment), predictions.explained(experiment)
edit, drawing = drawings.read(experiment, shown, chosen)
left, right = st.columns([5, 6], gap="medium")

with right:
    answer = st.container(key="answer")
    tour.step(2)
    predictions.predictions(experiment, shown, edit, drawing.data["address"])
    tour.step(3)
    question = method_picker.ask(experiment, lambda: explanations.refusals(experiment))
with left:
    if question and edit:
        question = question.replace(edit=edit.edit)
    e = explanations.explanation(question) if question else None
    if e is not None:
        look = map_views.stage(e, experiment.predictions[0].index, drawing)
if e is not None:
    best = predictions.best(experiment, edit)
    with answer:
        if edit:
            edit_result.show(experiment, edit)
        else:
            st.markdown(escaped(tr_message(captions.reading(e, best[0]))))
    percentile = settings.setting("percentile", 99.0, settings.Span(90, 100), float)
    with right:
        st.caption(tr("**Limitations.** {caution}", caution=tr_message(captions.caution(e))))
        for note in e.notes:
            st.info(escaped(tr_message(note)))
        with st.container(key="next_steps", horizontal=True, vertical_alignment="top", gap="small"):
            hides, checks = st.container(width="content"), st.container(width="content")
            beside = ",".join(dict.fromkeys((e.method, *method_picker.FAVORITES[:3])))
            pages.open_button("beside", "compare", tr("Open in Compare"), {"rows": "none", "columns.methods": beside})
            pin_button.draw(experiment, e)
            files = st.container(width="content")
        with checks:
            quick_check.show(e.question)
        hide_region.draw(e, hides, st.container(key="hidden_regions"))
        with files:  # after all that the report holds
            map_views.show_downloads(e, experiment, edit, best, look, percentile)
        if edit:
            edit_result.compare(e, look, st.container(key="edit_maps"))
            st.markdown(escaped(tr_message(captions.reading(e, best[0]))))
        tour.step(4)
        if e.knobs.get("feature_map") is not None:
            patch.patch(e)
    others = st.expander(tr("Other views"), key="views", on_change="rerun")
    if others.open:
        with others:
            map_views.views(e, look, percentile)
    method_extras.draw(e, experiment)
    numbers = st.expander(tr("Numbers and Python code"), key="code", on_change="rerun")
    if numbers.open:  # the browser loads 1.5 MB to highlight code
        with numbers:
            st.caption(tr_message(e.facts))
            map_views.python_code(e, experiment)
else:
    stage.look()  # keeps the settings of the stage in the link
recipe_input.load()
