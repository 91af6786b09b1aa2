"""Compare: heatmaps side by side."""

import streamlit as st

from camviz.explanation.explanation import Explanation
from camviz.ui.compare import axes, downloads, grid_view
from camviz.ui.results import grid
from camviz.ui.shell import pages
from camviz.ui.widgets import quick_check

experiment = pages.experiment()
grid_view.follow_opened_cell()
chosen = axes.choose(experiment)
options = grid_view.display_options()
look, status = st.container(key="compare_look"), st.container()
page = grid_view.GridView(chosen, options)
below = st.container()

with status:
    done = grid.run(chosen, page.draw, quick_place=below)
maps = {place: e for place, e in sorted(done.items()) if isinstance(e, Explanation)}
page.share_scale(maps)
grid_view.look_controls(look, options, maps)

grid_view.show_agreement(chosen, maps)
if maps and quick_check.ask([chosen.at(*place) for place in maps], "proof"):
    for place, e in maps.items():
        page.caption(place, e)
if maps:
    downloads.show_downloads(chosen, maps, lambda: options.images(maps), experiment.image.name, page.image)
