"""Compare: do they agree?"""

import streamlit as st

from camviz.explanation import Explanation
from camviz.ui import axes, controls, grid, proof, sheet
from camviz.ui.language import t

experiment = controls.experiment()
st.title(t("Do they agree?"))
chosen = axes.choose(experiment)
look = sheet.look()
status = st.container()
page = sheet.Sheet(chosen, look)

with status:
    done = grid.run(chosen, page.draw)
maps = {place: e for place, e in sorted(done.items()) if isinstance(e, Explanation)}
tops = look.highs(maps)
for place, e in maps.items():
    if e.method in tops:
        page.draw(*place, e, tops[e.method])
sheet.look_controls()

if maps and proof.ask([chosen.at(*place) for place in maps], "proof"):
    for place, e in maps.items():
        page.draw(*place, e, tops.get(e.method))
if len(maps) > 1:
    sheet.agreement(chosen, maps)
if maps:
    pictures = {place: look.picture(e, tops.get(e.method)) for place, e in maps.items()}
    sheet.take_away(chosen, maps, pictures, experiment.picture.name)
