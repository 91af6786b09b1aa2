"""Compare: do they agree?"""

import streamlit as st

from camviz.explanation.explanation import Explanation
from camviz.ui.compare import axes, grid_view
from camviz.ui.results import grid
from camviz.ui.session.language import tr
from camviz.ui.shell import pages
from camviz.ui.widgets import quick_check

experiment = pages.experiment()
st.title(tr("Do they agree?"))
chosen = axes.choose(experiment)
look = grid_view.look()
status = st.container()
page = grid_view.Sheet(chosen, look)

with status:
    done = grid.run(chosen, page.draw)
maps = {place: e for place, e in sorted(done.items()) if isinstance(e, Explanation)}
tops = look.highs(maps)
for place, e in maps.items():
    if e.method in tops:
        page.draw(*place, e, tops[e.method])
grid_view.look_controls()

if maps and quick_check.ask([chosen.at(*place) for place in maps], "proof"):
    for place, e in maps.items():
        page.draw(*place, e, tops.get(e.method))
if len(maps) > 1:
    grid_view.agreement(chosen, maps)
if maps:
    draw = lambda: {place: look.picture(e, tops.get(e.method)) for place, e in maps.items()}  # noqa: E731
    grid_view.take_away(chosen, maps, draw, experiment.image.name)
