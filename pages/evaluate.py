"""Evaluate: may I believe it?"""

import streamlit as st

from camviz.ui.evaluate import heatmap_tests, league_table, pointing_game
from camviz.ui.results import explanations
from camviz.ui.session import settings
from camviz.ui.session.language import t
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker, tiles

TRIALS = {
    "curves": "Do the hot pixels matter?",
    "forgetting": "Does it notice forgetting?",
    "pointing": "Does it point at the right thing?",
    "league": "Which method is better?",
}

experiment = pages.experiment()
st.title(t("May I believe it?"))
st.caption(
    t(
        "A map convinces whoever sees it, right or wrong. Each test here can show that a map is wrong; "
        "none can show that it is right. What a test can't tell stands beside it."
    )
)
trial = settings.setting("trial", "curves", TRIALS)
st.segmented_control(
    t("Test"),
    TRIALS,
    format_func=lambda key: t(TRIALS[key]),
    key="trial",
    label_visibility="collapsed",
    required=True,
    persist_state="session",
)
e, shown = None, []
if trial in ("curves", "forgetting"):
    left, right = st.columns([3, 1], gap="large")
    with left:
        method = method_picker.method_picker()
        knobs = method_picker.knobs(method)
        e = explanations.explanation(experiment, method, knobs)
    if e is not None:
        with right:
            heatmap_tests.map_of(experiment, method, e)
if e is not None and trial == "curves":
    st.header(t("Take the hot pixels away, or bring only them"))
    shown += heatmap_tests.curves(experiment, method, knobs)
    st.header(t("Other measures of this map"))
    shown += heatmap_tests.measures(experiment, method, knobs)
elif e is not None and trial == "forgetting":
    st.header(t("The same map of a network that forgets"))
    st.caption(
        t(
            "A copy of the network gets new random weights, layer by layer, from the class scores down to the picture. "
            "A map that explains what was learned must fall apart with it."
        )
    )
    shown += heatmap_tests.forgetting(experiment, method, knobs)
    st.header(t("The same picture, other classes"))
    shown += heatmap_tests.other_classes(experiment, method, knobs)
elif trial == "pointing":
    st.header(t("Four pictures in one"))
    shown += pointing_game.pointing(experiment)
elif trial == "league":
    st.header(t("Methods against each other, over several pictures"))
    shown += league_table.table(experiment)
tiles.offer(TRIALS[trial], experiment, e, shown, settings.link())
