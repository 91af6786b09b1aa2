"""Train: a classifier for the visitor's classes, from a few images of each."""

import streamlit as st

from camviz.models.catalog import CURATED, EMBEDDED
from camviz.ui.inputs import model_input
from camviz.ui.session import settings
from camviz.ui.session.language import tr, tr_message
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages
from camviz.ui.train import class_editor, result_view, runs, training_set

if not settings.is_running():
    pages.experiment()  # runs app.py first
left, right = st.columns([5, 4], gap="large")
with left:
    place = st.container(key="train_result")
with place:
    waiting = st.empty()
waiting.caption(tr("The result is being computed."))  # before the classes: on a phone it stands above them
given = training_set.current()
with right:
    name = settings.setting("base", EMBEDDED[0], EMBEDDED)
    base = model_input.network(name, "default", st.session_state["device"])
    fault = given.fault()
    action = st.container(key="train_action")
    class_editor.draw(given)
    st.selectbox(
        tr("Pretrained model"),
        EMBEDDED,
        format_func=CURATED.__getitem__,
        key="base",
        persist_state="session",
        help=tr("Its features are used as they are; only a new last layer is trained."),
    )
kept, example = runs.kept(), training_set.example()
with place:
    now = kept[-1] if kept else runs.example_run(example, base)
    before = result_view.before_of(kept)
waiting.empty()
with action:
    if fault is not None:
        st.info(escaped(tr_message(fault)))
    elif (now.key if now else runs.run_key(example, base)) != runs.run_key(given, base):
        runs.train_button(given, base, now)
if now is not None:
    with place:
        if now.key != runs.run_key(given, base):
            st.info(tr("This is the result of the classes before your changes."))
        result_view.accuracy(now, before)
        chosen = result_view.images(now)
        result_view.heatmaps(chosen, now, before)
        result_view.actions(chosen, now)
        with st.expander(tr("Table of predictions")):
            result_view.confusion(now.trained)
