"""Evaluate: may I believe it?"""

import streamlit as st

from camviz.ui.evaluate import heatmap_tests, league_table, pointing_game
from camviz.ui.results import explanations
from camviz.ui.session import settings
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker, tiles

TRIALS = {
    "curves": "Do the hot pixels matter?",
    "forgetting": "Does it notice forgetting?",
    "pointing": "Does it point at the right thing?",
    "league": "Which method is better?",
}

experiment = pages.experiment()
st.title(tr("May I believe it?"))
st.caption(
    tr(
        "A map convinces whoever sees it, right or wrong. Each test here can show that a map is wrong; "
        "none can show that it is right. What a test can't tell stands beside it."
    )
)
trial = settings.setting("trial", "curves", TRIALS)
st.segmented_control(
    tr("Test"),
    TRIALS,
    format_func=lambda key: tr(TRIALS[key]),
    key="trial",
    label_visibility="collapsed",
    required=True,
    persist_state="session",
)
e, shown = None, []
if trial in ("curves", "forgetting"):
    left, right = st.columns([3, 1], gap="large")
    with left:
        question, _ = method_picker.ask(experiment)
        e = explanations.explanation(question) if question else None
    if e is not None:
        with right:
            heatmap_tests.map_of(e)
if e is not None and trial == "curves":
    st.header(tr("Take the hot pixels away, or bring only them"))
    shown += heatmap_tests.curves(experiment, e.question)
    st.header(tr("Other measures of this map"))
    shown += heatmap_tests.measures(e.question)
elif e is not None and trial == "forgetting":
    st.header(tr("The same map of a network that forgets"))
    st.caption(
        tr(
            "A copy of the network gets new random weights, layer by layer, from the class scores down to the picture. "
            "A map that explains what was learned must fall apart with it."
        )
    )
    shown += heatmap_tests.forgetting(e.question)
    st.header(tr("The same picture, other classes"))
    shown += heatmap_tests.other_classes(e.question)
elif trial == "pointing":
    st.header(tr("Four pictures in one"))
    shown += pointing_game.pointing(experiment)
elif trial == "league":
    st.header(tr("Methods against each other, over several pictures"))
    shown += league_table.table(experiment)
tiles.offer(TRIALS[trial], experiment, e, shown, settings.link())
