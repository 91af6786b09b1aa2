"""A whole model on the page Inspect: a drawing to scale, a table, the first filters."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from ... import encode
from ...inspection.filters import Filters, first_filters
from ...inspection.receptive_field import Box, receptive_fields
from ...inspection.summary import LayerRow, blank, layer_summary, to_scale
from ...models import Model
from ..components import browser
from ..inputs.experiment import Experiment
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, compute_queue, in_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message


def strip(experiment: Experiment) -> None:
    """Draw the model to scale, from image to class scores; a click selects a layer."""
    rows = [row for row in rows_of(experiment) if row.place != "elsewhere"]
    steps = [
        {
            "name": row.name if row.place == "layer" else tr_message(row.name),
            "label": tr(
                "{step}: {kind}, {shape}, {parameters} parameters, depth {depth}",
                step=tr_message(row.name),
                kind=tr_message(row.kind),
                shape=row.shape,
                parameters=f"{row.parameters:,}",
                depth=row.depth,
            ),
            **asdict(bar),
            "layer": row.place == "layer",
            "chosen": row.name == experiment.layer,
        }
        for row, bar in zip(rows, to_scale(rows), strict=True)
    ]
    title = tr("{network} from image to class scores, to scale", network=tr_message(experiment.model.title))
    browser.strip(title, steps, choose_layer)


def choose_layer(name: str) -> None:
    """Select a layer."""
    settings.choose("layer", name)
    st.session_state["several"] = False


def rows_of(experiment: Experiment, every: bool = False) -> tuple[LayerRow, ...]:
    """Return the table's rows: the main layers and the selected one, or every layer."""
    model = experiment.model
    names = tuple(one.name for one in model.layers if every or one.main or one.name == experiment.layer)
    return result_store().once(("layer summary", model.key, names), lambda: _rows(model, names))


def _rows(model: Model, names: tuple[str, ...]) -> tuple[LayerRow, ...]:
    with compute_queue().turn(lambda _: None):
        return layer_summary(model, names)


def network_table(experiment: Experiment) -> None:
    """Show all steps of the model in a collapsed table."""
    rows = rows_of(experiment, bool(st.session_state.get("all_layers")))
    count = f"{sum(row.parameters for row in rows):,}"
    with st.expander(tr("Layers, parameters ({count} in total) and receptive fields", count=count)):
        _table(experiment, rows)


def _table(experiment: Experiment, rows: Sequence[LayerRow]) -> None:
    """Show name, kind, shape, parameters, depth and receptive field of every row."""
    place = st.container()
    fields = fields_of(experiment.model, rows)
    size = experiment.model.input_size
    columns: dict[str, list[Any]] = {
        tr("Step"): [f"▸ {row.name}" if row.name == experiment.layer else tr_message(row.name) for row in rows],
        tr("Kind"): [tr_message(row.kind) for row in rows],
        tr("Channels × height × width"): [row.shape for row in rows],
        tr("Parameters"): [row.parameters for row in rows],
        tr("Depth"): [row.depth for row in rows],
        tr("Receptive field (pixels)"): [box_text(fields.get(row.name), size) for row in rows],
    }
    place.dataframe(
        columns,
        hide_index=True,
        height="content" if len(rows) <= 30 else 600,
        column_config={tr("Parameters"): st.column_config.NumberColumn(format="localized")},
    )
    st.caption(
        tr(
            "The drawing above runs from the image on the left to the class scores on the right, to scale: the height "
            "of a bar is the resolution, its length the number of channels, the distance between two bars the "
            "convolutions between them. **Early layers respond to edges and colors in small patches, at high "
            "resolution; late layers respond to parts of objects in large regions, at low resolution.**"
        )
    )
    st.caption(
        tr(
            "Parameters: trained values between the row above and this one. Depth: convolutions and linear "
            "layers up to here, on all branches. Receptive field: the part of the image that the middle cell of "
            "the layer can depend on, measured on this model."
        )
    )


def fields_of(model: Model, rows: Sequence[LayerRow]) -> dict[str, Box]:
    """Return the receptive field of the middle cell of each layer; empty until computed."""
    layers = [row for row in rows if row.place == "layer"]
    if not layers:
        return {}
    names = tuple(row.name for row in layers)

    def work(report: ReportProgress) -> dict[str, Box]:
        places = [(model.module(row.name), row.height // 2, row.width // 2) for row in layers]
        with in_queue(report) as progress:
            return dict(zip(names, receptive_fields(model.net, blank(model), places, progress), strict=True))

    seconds = 8 * len(layers) * cost.seconds_per_pass(model)
    key = ("fields", model.key, names)
    return tasks.run("fields", key, seconds, tr("Compute the receptive fields"), work) or {}


def box_text(box: Box | None, size: tuple[int, int]) -> str:
    """Format a receptive field: '31 × 31', 'whole image', or '' if not known."""
    if box is None:
        return ""
    top, left, bottom, right = box
    return tr("whole image") if (bottom - top, right - left) == size else f"{bottom - top} × {right - left}"


def filters(model: Model) -> None:
    """Show the filters of the first convolution as images."""
    found, jpeg = result_store().once(("first filters", model.key), lambda: _filters(model))
    if found is None:
        st.info(
            tr(
                "The first convolution of this model does not read the three color channels, so its filters "
                "cannot be shown as images."
            )
        )
        return
    count, _, height, width = found.weights.shape
    about = tr(
        "{count} filters of `{layer}`, {height} × {width} pixels each",
        count=count,
        layer=found.name,
        height=height,
        width=width,
    )
    st.image(jpeg, alt=about.replace("`", ""))
    st.caption(
        tr(
            "{filters}: the patterns that the model detects first, and the only weights that can be seen as "
            "images. One scale for all filters and colors: mid-gray is zero, bright is positive, dark is "
            "negative. Trained filters show edges, stripes and color spots; untrained ones show noise.",
            filters=about,
        )
    )


def _filters(model: Model) -> tuple[Filters | None, bytes]:
    with compute_queue().turn(lambda _: None):
        found = first_filters(model)
    if found is None:
        return None, b""
    scale = max(4, 48 // found.weights.shape[-1])
    enlarged = found.images.repeat(scale, axis=1).repeat(scale, axis=2)
    return found, encode.png(encode.montage(list(enlarged), 16, gap=max(1, scale // 2)))
