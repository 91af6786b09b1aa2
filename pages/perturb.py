"""Perturb: corrupt the image or attack the model, and watch the predictions and the heatmap."""

import streamlit as st

from camviz.ui.perturb import attack_view, corruption_view
from camviz.ui.session import settings
from camviz.ui.session.language import tr
from camviz.ui.shell import pages

PARTS = {"corrupt": "Corrupt", "attack": "Attack"}

experiment = pages.experiment()
part = settings.setting("perturb", "corrupt", PARTS)
row = st.container(key=f"{part}_row", horizontal=True, vertical_alignment="center")
row.segmented_control(
    tr("Section"),
    PARTS,
    format_func=lambda part: tr(PARTS[part]),
    key="perturb",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)

if part == "corrupt":
    with row:
        kind = corruption_view.choose()
    corruption_view.draw(experiment, kind)
else:
    attack_view.draw(experiment)
