"""One method at every layer, on the page Inspect."""

from dataclasses import replace

import streamlit as st

from ... import encode, render
from ...errors import CamvizError, message_of
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...registry import METHODS
from ..inputs.experiment import Experiment
from ..results import grid
from ..results.grid import Grid
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import method_picker


def draw(experiment: Experiment, color_map: str) -> None:
    """Choose a method and show its heatmap at every main layer."""
    chosen = _choose(experiment)
    status, box = st.container(), st.grid(min_column_width=150)
    places = [box.cell().empty() for _ in chosen.columns]  # an empty place alone would take no room

    def fill(_: int, column: int, result: Explanation | CamvizError) -> None:
        with places[column].container():
            _step(chosen, column, result, color_map)

    with status:
        grid.run(chosen, fill)


def _choose(experiment: Experiment) -> Grid:
    """Choose a method and return its cells at every main layer, as one row of a grid."""
    # The other methods look the same at every depth.
    keys = [key for key, method in METHODS.items() if method.layer == "required"]
    method = METHODS[settings.setting("sweep", "grad_cam", keys)]
    st.selectbox(
        tr("Method"),
        keys,
        format_func=lambda key: tr_message(METHODS[key].title),
        key="sweep",
        persist_state="session",
        width=320,
        help=tr("Only methods that use a layer: the others give the same heatmap for all layers."),
    )
    knobs = method_picker.knobs(method)
    layers = [layer for layer in experiment.model.layers if layer.main]
    cells: list[Question | CamvizError] = [
        replace(experiment, layers=(layer.name,)).question(method, knobs) for layer in layers
    ]
    return Grid([method.title], [layer.name for layer in layers], [cells])


def _step(sweep: Grid, column: int, result: Explanation | CamvizError, color_map: str) -> None:
    """Show the heatmap of one layer."""
    cell, name = sweep.cells[0][column], sweep.columns[column]
    if isinstance(result, CamvizError) or isinstance(cell, CamvizError):
        st.error(f"{escaped(name)}: {escaped(tr_message(message_of(result)))}")
        return
    layer = cell.model.layer(name)
    alt = tr(
        "{method} of {label} at layer {layer}, over the image",
        method=tr_message(sweep.rows[0]),
        label=tr_message(result.label),
        layer=name,
    )
    jpeg = result_store().once(
        ("small overlay", color_map, cell.key),
        lambda: encode.jpeg(render.overlay(result.view, result.heatmap, 0.6, color_map)),
    )
    st.image(jpeg, alt=alt, width="stretch")
    size = tr("{height} × {width} cells", height=layer.height, width=layer.width)
    st.caption(f"`{name}`  \n{size}")
