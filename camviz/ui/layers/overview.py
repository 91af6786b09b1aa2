"""What the Layers page draws of a whole network: the strip to scale, the table, the first filters."""

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
from ..results.cost import seconds_per_pass
from ..server import tasks
from ..server.queue import compute_queue
from ..server.store import result_store
from ..server.tasks import ReportProgress
from ..session.language import tr, tr_message


def strip(experiment: Experiment) -> None:
    """The network to scale from picture to class scores; a click on a layer makes it the one of the sidebar."""
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
    title = tr("{network} from picture to class scores, to scale", network=tr_message(experiment.model.title))
    browser.strip(title, steps, choose_layer)
    st.caption(
        tr(
            "From the picture on the left to the class scores on the right, to scale: a bar's height is the "
            "resolution, its length the number of channels, the way between two bars the convolutions between them. "
            "Choose a layer by a click here, or in the sidebar. **Early layers see edges and colors, in small patches "
            "and fine detail; late ones see parts of objects, over much of the picture and coarsely.**"
        )
    )


def choose_layer(name: str) -> None:
    """Make a layer the one of the sidebar."""
    st.session_state["layer"] = name
    st.session_state["several"] = False


def rows_of(experiment: Experiment, every: bool = False) -> tuple[LayerRow, ...]:
    """The table's rows: the main layers, with the chosen one where it is not among them; or every layer."""
    model = experiment.model
    names = tuple(one.name for one in model.layers if every or one.main or one.name == experiment.layer)
    return result_store().once(("layer summary", model.key, names), lambda: _rows(model, names))


def _rows(model: Model, names: tuple[str, ...]) -> tuple[LayerRow, ...]:
    with compute_queue().turn(lambda _: None):
        return layer_summary(model, names)


def network_table(experiment: Experiment) -> None:
    """All steps of the network in a table that is folded in."""
    rows = rows_of(experiment, bool(st.session_state.get("all_layers")))
    count = f"{sum(row.parameters for row in rows):,}"
    with st.expander(tr("All {count} parameters in a table, and how far each layer sees", count=count)):
        _table(experiment, rows)


def _table(experiment: Experiment, rows: Sequence[LayerRow]) -> None:
    """Name, kind, shape, parameters, depth and receptive field of every row."""
    place = st.container()
    fields = fields_of(experiment.model, rows)
    size = experiment.model.input_size
    columns: dict[str, list[Any]] = {
        tr("Step"): [f"▸ {row.name}" if row.name == experiment.layer else tr_message(row.name) for row in rows],
        tr("Kind"): [tr_message(row.kind) for row in rows],
        tr("Channels × height × width"): [row.shape for row in rows],
        tr("Parameters"): [row.parameters for row in rows],
        tr("Depth"): [row.depth for row in rows],
        tr("Sees (pixels)"): [seen(fields.get(row.name), size) for row in rows],
    }
    place.dataframe(
        columns,
        hide_index=True,
        height="content" if len(rows) <= 30 else 600,
        column_config={tr("Parameters"): st.column_config.NumberColumn(format="localized")},
    )
    st.caption(
        tr(
            "Parameters: the numbers that training sets, between the row above and this one. Depth: convolutions and "
            "linear layers up to here, on all branches. Sees: the receptive field, how large a part of the picture one "
            "place in the middle of the layer can depend on; found by trial on this very network."
        )
    )


def fields_of(model: Model, rows: Sequence[LayerRow]) -> dict[str, Box]:
    """The receptive field of the middle place of each layer, once it is known; until then none."""
    layers = [row for row in rows if row.place == "layer"]
    if not layers:
        return {}
    names = tuple(row.name for row in layers)

    def work(report: ReportProgress) -> dict[str, Box]:
        places = [(model.module(row.name), row.height // 2, row.width // 2) for row in layers]
        with tasks.in_queue(report) as progress:
            return dict(zip(names, receptive_fields(model.net, blank(model), places, progress), strict=True))

    seconds = 8 * len(layers) * seconds_per_pass(model)
    key = ("fields", model.key, names)
    return tasks.run("fields", key, seconds, tr("Compute what each layer sees"), work) or {}


def seen(box: Box | None, size: tuple[int, int]) -> str:
    """A receptive field in words: '31 x 31', 'the whole picture', or nothing where it is not known."""
    if box is None:
        return ""
    top, left, bottom, right = box
    return tr("the whole picture") if (bottom - top, right - left) == size else f"{bottom - top} x {right - left}"


def filters(model: Model) -> None:
    """The filters of the first convolution as pictures, in one sheet."""
    found, jpeg = result_store().once(("first filters", model.key), lambda: _filters(model))
    if found is None:
        st.info(
            tr("The first convolution of this network does not read the three colors, so its filters are no pictures.")
        )
        return
    count, _, height, width = found.weights.shape
    about = tr(
        "The {count} filters of `{layer}`, {height} x {width} pixels each",
        count=count,
        layer=found.name,
        height=height,
        width=width,
    )
    st.image(jpeg, alt=about.replace("`", ""))
    st.caption(
        tr(
            "{filters}: what the network looks for first, and the only weights that are pictures themselves. One scale "
            "for all of them and for red, green and blue: mid-gray is zero, bright adds, dark subtracts. Trained "
            "filters are edges, stripes and color spots; untrained ones are noise.",
            filters=about,
        )
    )


def _filters(model: Model) -> tuple[Filters | None, bytes]:
    with compute_queue().turn(lambda _: None):
        found = first_filters(model)
    if found is None:
        return None, b""
    scale = max(4, 48 // found.weights.shape[-1])
    enlarged = found.pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    return found, encode.png(encode.montage(list(enlarged), 16, gap=max(1, scale // 2)))
