"""The two axes of the compare grid: methods, layers, networks, classes or images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from ...errors import CamvizError
from ...explanation.question import Question
from ...registry import METHODS, Method
from ..inputs import image_input, model_input
from ..inputs.experiment import Experiment
from ..results.grid import Grid, setting_label
from ..session import settings
from ..session.language import tr
from ..widgets import method_picker

MOST = 8  # values of an axis


@dataclass(frozen=True)
class Cell:
    """What one cell of the grid will ask: an experiment, and the method with its settings."""

    experiment: Experiment
    method: Method
    settings: Mapping[str, Any]

    @property
    def question(self) -> Question:
        """The question itself. Raises CamvizError if it cannot be asked."""
        return self.experiment.question(self.method, self.settings)


@dataclass(frozen=True)
class Axis:
    """One way to vary an experiment: its values (id: label), the ones shown first, and what a value changes."""

    title: str
    values: Callable[[Experiment], dict[str, str]]
    first: Callable[[Experiment], list[str]]
    change: Callable[[Cell, str], Cell]


def _stage_ends(experiment: Experiment) -> list[str]:
    ends = {layer.stage: layer.name for layer in experiment.model.layers if layer.main}
    return list(ends.values())[-3:]


def _with_network(cell: Cell, name: str) -> Cell:
    old = cell.experiment
    if name == old.model.name:
        return cell
    model = model_input.load(name, old.model.weights.is_random, str(old.model.device))
    known = {layer.name for layer in model.layers}
    same = set(old.layers) <= known and old.layers != (old.model.default_layer,)
    default = (model.default_layer,) if model.default_layer else ()
    return replace(cell, experiment=replace(old, model=model, layers=old.layers if same else default))


AXES: dict[str, Axis] = {
    "methods": Axis(
        "Methods",
        lambda experiment: {key: method.title for key, method in METHODS.items()},
        lambda experiment: ["grad_cam", "layer_cam", "guided_grad_cam", "guided_backprop"],
        lambda cell, key: replace(cell, method=METHODS[key], settings=METHODS[key].settings({})),
    ),
    "layers": Axis(
        "Layers",
        lambda experiment: {layer.name: layer.name for layer in experiment.model.layers},
        _stage_ends,
        lambda cell, name: replace(cell, experiment=replace(cell.experiment, layers=(name,))),
    ),
    "networks": Axis(
        "Models",
        lambda experiment: {name: entry.title for name, entry in model_input.choices().items()},
        lambda experiment: ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"],
        _with_network,
    ),
    "classes": Axis(
        "Classes",
        lambda experiment: {str(index): label for index, label in enumerate(experiment.model.categories)},
        lambda experiment: [str(one.index) for one in experiment.predictions[:3]],
        lambda cell, index: replace(cell, experiment=replace(cell.experiment, target=int(index))),
    ),
    "pictures": Axis(
        "Images",
        lambda experiment: {key: picture.name for key, picture in image_input.choices().items()},
        lambda experiment: list(dict.fromkeys([experiment.image.id, "sample:cat", "sample:panda"])),
        lambda cell, key: replace(cell, experiment=replace(cell.experiment, image=image_input.choices()[key])),
    ),
}


def choose(experiment: Experiment) -> Grid:
    """Draw the controls of the grid and return the chosen cells."""
    left, right = st.columns(2)
    with left:
        rows, row_values = _axis("rows", "layers", experiment, "")
    with right:
        columns, column_values = _axis("columns", "methods", experiment, rows)
    if "methods" not in (rows, columns):
        method = method_picker.method_picker()
        start = Cell(experiment, method, method_picker.knobs(method))
    else:
        start = Cell(experiment, METHODS["grad_cam"], METHODS["grad_cam"].settings({}))
    labels = AXES[rows].values(experiment), AXES[columns].values(experiment)
    # A network is put in before the layer and the class that are looked up in it.
    order = sorted(((rows, 0), (columns, 1)), key=lambda axis: axis[0] != "networks")

    def cell(*values: str) -> Question | CamvizError:
        made = start
        try:
            for axis, place in order:
                made = AXES[axis].change(made, values[place])
            return made.question
        except CamvizError as error:
            return error

    cells = [[cell(row, column) for column in column_values] for row in row_values]
    return Grid([labels[0][value] for value in row_values], [labels[1][value] for value in column_values], cells)


def _axis(key: str, default: str, experiment: Experiment, taken: str) -> tuple[str, list[str]]:
    options = [name for name in AXES if name != taken]
    chosen = settings.setting(key, default if default != taken else options[0], options)
    st.selectbox(
        tr(key.capitalize()),
        options,
        format_func=lambda name: tr(AXES[name].title),
        key=key,
        persist_state="session",
        help=tr("What varies along this axis; everything else is set in the sidebar. Choose up to 8 values below."),
    )
    axis = AXES[chosen]
    labels = axis.values(experiment)
    first = [value for value in axis.first(experiment) if value in labels]
    values = settings.many(f"{key}.{chosen}", first, list(labels), MOST)
    st.multiselect(
        tr(axis.title),
        list(labels),
        format_func=lambda value: setting_label(labels[value]),
        key=f"{key}.{chosen}",
        label_visibility="collapsed",
        placeholder=tr("Choose options"),
        max_selections=MOST,
        persist_state="session",
    )
    return chosen, values
