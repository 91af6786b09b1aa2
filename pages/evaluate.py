"""Evaluate: may I believe it?"""

import streamlit as st

from camviz.ui import contest, controls, evidence, exhibits, league, methods, panels, state
from camviz.ui.language import t

TRIALS = {
    "curves": "Do the hot pixels matter?",
    "forgetting": "Does it notice forgetting?",
    "pointing": "Does it point at the right thing?",
    "league": "Which method is better?",
}

experiment = controls.experiment()
st.title(t("May I believe it?"))
st.caption(
    t(
        "A map convinces whoever sees it, right or wrong. Each test here can show that a map is wrong; "
        "none can show that it is right. What a test can't tell stands beside it."
    )
)
trial = state.setting("trial", "curves", TRIALS)
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
        method = methods.method_picker()
        knobs = methods.knobs(method)
        e = panels.explanation(experiment, method, knobs)
    if e is not None:
        with right:
            evidence.map_of(experiment, method, e)
if e is not None and trial == "curves":
    st.header(t("Take the hot pixels away, or bring only them"))
    shown += evidence.curves(experiment, method, knobs)
    st.header(t("Other measures of this map"))
    shown += evidence.measures(experiment, method, knobs)
elif e is not None and trial == "forgetting":
    st.header(t("The same map of a network that forgets"))
    st.caption(
        t(
            "A copy of the network gets new random weights, layer by layer, from the class scores down to the picture. "
            "A map that explains what was learnt must fall apart with it."
        )
    )
    shown += evidence.forgetting(experiment, method, knobs)
    st.header(t("The same picture, other classes"))
    shown += evidence.other_classes(experiment, method, knobs)
elif trial == "pointing":
    st.header(t("Four pictures in one"))
    shown += contest.pointing(experiment)
elif trial == "league":
    st.header(t("Methods against each other, over several pictures"))
    shown += league.table(experiment)
exhibits.offer(TRIALS[trial], experiment, e, shown, state.link())
