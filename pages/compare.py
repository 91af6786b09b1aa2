"""Compare: do they agree?"""

from functools import partial

import streamlit as st

from camviz import export, figures, render
from camviz.errors import CamvizError
from camviz.evaluation.agreement import pairwise_rank_correlation
from camviz.explanation import Explanation
from camviz.ui import controls, grid, panels, proof, slides, state

experiment = controls.experiment()
st.title("Do they agree?")
chosen = grid.choose(experiment)
colour_map = state.setting("colours", "cividis", render.COLOUR_MAPS)
opacity = state.setting("opacity", 0.5, state.Span(0, 1), float)
scale = state.setting("scale", "own", ("own", "shared"))
status = st.container()
places = {}
for row in range(len(chosen.rows)):
    for column, box in enumerate(st.columns(max(1, len(chosen.columns)))):
        places[row, column] = box.empty()
        places[row, column].caption(f"{chosen.name(row, column)}: not computed yet")


def draw(row: int, column: int, result: Explanation | CamvizError, high: float | None = None) -> None:
    """Fill one cell."""
    with places[row, column].container():
        if isinstance(result, CamvizError):
            st.error(f"{chosen.name(row, column)}: {result}")
            return
        alt = f"{chosen.name(row, column)}: map of {result.label} over the picture"
        st.image(export.jpeg(grid.picture(result, colour_map, opacity, high)), alt=alt, width="stretch")
        st.caption(f"**{chosen.name(row, column)}**  \n{result.label} {figures.percent(result.probability)}")
        if numbers := proof.line(chosen.at(row, column)):
            st.caption(numbers)


with status:
    done = grid.run(chosen, draw)
maps = {place: e for place, e in done.items() if isinstance(e, Explanation)}
tops = grid.highs(maps) if scale == "shared" else {}
for place, e in maps.items():
    if e.method in tops:
        draw(*place, e, tops[e.method])

looks = st.container(horizontal=True)
looks.segmented_control(
    "Scale",
    ("own", "shared"),
    key="scale",
    required=True,
    persist_state="session",
    help="Own: every map uses all colours. Shared: one scale for all maps of a method; different methods' units "
    "do not compare.",
)
looks.selectbox("Colours", render.COLOUR_MAPS, key="colours", persist_state="session")
slides.switch()
looks.slider("Opacity", 0.0, 1.0, key="opacity", persist_state="session")

if maps and proof.ask([chosen.at(*place) for place in maps], "proof"):
    for place, e in maps.items():
        draw(*place, e, tops.get(e.method))

if len(maps) > 1:
    st.subheader("How far the maps agree")
    names = [chosen.name(*place) for place in maps]
    matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
    st.plotly_chart(
        figures.correlation_heatmap(matrix, names, panels.ink()), alt="Rank correlation of each two maps, as numbers"
    )
    st.caption("Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth.")
if maps:
    st.subheader("Take it away")
    shown = {place: grid.picture(e, colour_map, opacity, tops.get(e.method)) for place, e in maps.items()}
    cells = [[shown.get((row, column)) for column in range(len(chosen.columns))] for row in range(len(chosen.rows))]
    buttons = st.container(horizontal=True)
    buttons.download_button(
        "The grid (PNG)",
        partial(export.grid_png, cells, chosen.rows, chosen.columns, experiment.picture.name),
        "camviz-grid.png",
        "image/png",
        on_click="ignore",
    )
    buttons.download_button(
        "All maps (ZIP)",
        partial(grid.archive, chosen, done, shown),
        "camviz-grid.zip",
        "application/zip",
        on_click="ignore",
    )
    buttons.download_button(
        "Report (HTML)",
        partial(grid.report_of, chosen, maps, shown, state.link()),
        "camviz-grid.html",
        "text/html",
        on_click="ignore",
        help="One file with pictures, settings, numbers and how to read them; print it to get a PDF.",
    )
