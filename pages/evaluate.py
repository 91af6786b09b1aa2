"""Evaluate: tests of how faithful a heatmap is."""

import streamlit as st

from camviz.ui.evaluate import curve_tests, heatmap_tests, pointing_game, ranking_view
from camviz.ui.results import explanations
from camviz.ui.session import settings
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import method_picker, tiles

TESTS = {
    "curves": "Deletion and insertion",
    "randomization": "Randomization test",
    "pointing": "Pointing game",
    "ranking": "Ranking of methods",
}

experiment = pages.experiment()
test = settings.setting("test", "curves", TESTS)
st.segmented_control(
    tr("Test"),
    TESTS,
    format_func=lambda key: tr(TESTS[key]),
    key="test",
    label_visibility="collapsed",
    required=True,
    persist_state="session",
)
e, shown = None, []
if test in ("curves", "randomization"):
    left, right = st.columns([3, 1], gap="large")
    with left:
        question = method_picker.ask(experiment)
        e = explanations.explanation(question) if question else None
    if e is not None:
        with right:
            heatmap_tests.map_of(e)
if e is not None and test == "curves":
    shown += curve_tests.curves(experiment, e, left)
    st.header(tr("Other metrics of this heatmap"))
    shown += heatmap_tests.measures(experiment, e.question)
elif e is not None and test == "randomization":
    st.header(tr("Heatmaps for randomized weights"))
    st.caption(
        tr(
            "A copy of the model gets new random weights, layer by layer, from the class scores down to the "
            "input. A heatmap that depends on what was learned must change."
        )
    )
    shown += heatmap_tests.randomization(experiment, e.question)
    st.header(tr("Heatmaps of other classes"))
    shown += heatmap_tests.other_classes(experiment, e.question)
elif test == "pointing":
    st.header(tr("Mosaic of four images"))
    shown += pointing_game.pointing(experiment)
elif test == "ranking":
    st.header(tr("Methods compared over several images"))
    shown += ranking_view.table(experiment)
tiles.offer(TESTS[test], experiment, e, shown, settings.link())
