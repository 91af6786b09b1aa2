"""Compare: do they agree?"""

from functools import partial

import streamlit as st

from camviz import export, figures, render
from camviz.errors import CamvizError
from camviz.evaluation.agreement import pairwise_rank_correlation
from camviz.explanation import Explanation
from camviz.ui import controls, grid, panels, proof, slides, state
from camviz.ui.language import bound, said, said_in, t
from camviz.ui.markdown import escaped

experiment = controls.experiment()
st.title(t("Do they agree?"))
chosen = grid.choose(experiment)
colour_map = state.setting("colours", "cividis", render.COLOUR_MAPS)
opacity = state.setting("opacity", 0.5, state.Span(0, 1), float)
SCALES = {"own": "own", "shared": "shared"}
scale = state.setting("scale", "own", SCALES)
status = st.container()
if not chosen.places:
    st.info(t("Nothing to compare yet: choose at least one row and one column above."))
places = {}
for row in range(len(chosen.rows)):
    for column, box in enumerate(st.columns(len(chosen.columns)) if chosen.columns else ()):
        places[row, column] = box.empty()
        places[row, column].caption(t("{map}: not computed yet", map=escaped(chosen.name(row, column))))


def draw(row: int, column: int, result: Explanation | CamvizError, high: float | None = None) -> None:
    """Fill one cell."""
    with places[row, column].container():
        if isinstance(result, CamvizError):
            st.error(f"{escaped(chosen.name(row, column))}: {escaped(said(str(result)))}")
            return
        label = said(result.label)
        alt = t("{map}: map of {label} over the picture", map=chosen.name(row, column), label=label)
        st.image(export.jpeg(grid.picture(result, colour_map, opacity, high)), alt=alt, width="stretch")
        st.caption(
            f"**{escaped(chosen.name(row, column))}**  \n{escaped(label)} {said(figures.percent(result.probability))}"
        )
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
    t("Scale"),
    SCALES,
    format_func=lambda key: t(SCALES[key]),
    key="scale",
    required=True,
    persist_state="session",
    help=t(
        "Own: every map uses all colours. Shared: one scale for all maps of a method; different methods' units "
        "do not compare."
    ),
)
looks.selectbox(
    t("Colours"),
    render.COLOUR_MAPS,
    format_func=said,
    key="colours",
    persist_state="session",
    help=t("cividis reads the same with and without red-green deficiency."),
)
slides.switch()
looks.slider(
    t("Opacity"),
    0.0,
    1.0,
    key="opacity",
    persist_state="session",
    help=t("0: the picture alone; 1: the map alone."),
)

if maps and proof.ask([chosen.at(*place) for place in maps], "proof"):
    for place, e in maps.items():
        draw(*place, e, tops.get(e.method))

if len(maps) > 1:
    st.header(t("How far the maps agree"))
    names = [chosen.name(*place) for place in maps]
    matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
    st.plotly_chart(
        said_in(figures.correlation_heatmap(matrix, names, panels.ink())),
        alt=t("Rank correlation of each two maps, as numbers"),
    )
    st.caption(
        t("Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth.")
    )
if maps:
    st.header(t("Take it away"))
    shown = {place: grid.picture(e, colour_map, opacity, tops.get(e.method)) for place, e in maps.items()}
    cells = [[shown.get((row, column)) for column in range(len(chosen.columns))] for row in range(len(chosen.rows))]
    buttons = st.container(horizontal=True)
    buttons.download_button(
        t("The grid (PNG)"),
        partial(export.grid_png, cells, chosen.rows, chosen.columns, experiment.picture.name),
        "camviz-grid.png",
        "image/png",
        on_click="ignore",
    )
    buttons.download_button(
        t("All maps (ZIP)"),
        partial(grid.archive, chosen, done, shown),
        "camviz-grid.zip",
        "application/zip",
        on_click="ignore",
    )
    buttons.download_button(
        t("Report (HTML)"),
        partial(grid.report_of, chosen, maps, shown, state.link(), *bound()),
        "camviz-grid.html",
        "text/html",
        on_click="ignore",
        help=t("One file with pictures, settings, numbers and how to read them; print it to get a PDF."),
    )
