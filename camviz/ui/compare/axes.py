"""The two axes of the compare grid: methods, layers, models, classes or images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from ... import models
from ...errors import CamvizError
from ...explanation.question import Question
from ...models.catalog import EMBEDDED
from ...models.class_names import ImageNetName
from ...registry import METHODS, Method
from ..inputs import image_input, model_input, pins
from ..inputs.experiment import Experiment
from ..results.grid import Grid, setting_label
from ..session import settings
from ..session.language import tr, tr_class
from ..widgets import method_picker

MOST = 8  # values of an axis
NONE = "none"  # the value of "rows" for a single row
FIRST = ["grad_cam", "layer_cam", "guided_backprop"]  # the methods of a single row
DEFAULT_ROWS = "layers"  # of a link that names other parts of the grid, but no rows


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
    """One way to vary an experiment: its values (id: label), the ones shown first, and what a value changes.

    `link` returns the settings that show a value on other pages.
    """

    title: str
    link: Callable[[str], dict[str, str]]
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


def _pinned(cell: Cell, pin: pins.Pin) -> Cell:
    method = METHODS[pin.method]
    changed = replace(_with_network(cell, pin.model), method=method, settings=method.settings({}))
    experiment = replace(
        changed.experiment,
        image=image_input.choices()[pin.img],
        layers=(pin.layer,) if pin.layer else (),
        target=int(pin.target),
        rival=-1,
    )
    return replace(changed, experiment=experiment)


def _pin(value: str) -> pins.Pin:
    return next(pin for pin in pins.pins() if str(pin) == value)


AXES: dict[str, Axis] = {
    "methods": Axis(
        "Methods",
        lambda value: {"method": value},
        lambda experiment: {key: method.title for key, method in METHODS.items()},
        lambda experiment: ["grad_cam", "layer_cam", "guided_grad_cam", "guided_backprop"],
        lambda cell, key: replace(cell, method=METHODS[key], settings=METHODS[key].settings({})),
    ),
    "layers": Axis(
        "Layers",
        lambda value: {"layer": value},
        lambda experiment: {layer.name: layer.name for layer in experiment.model.layers},
        _stage_ends,
        lambda cell, name: replace(cell, experiment=replace(cell.experiment, layers=(name,))),
    ),
    "networks": Axis(
        "Models",
        lambda value: {"model": value},
        lambda experiment: {name: entry.title for name, entry in model_input.choices().items()},
        lambda experiment: [*EMBEDDED, *models.local_models().intersection(["mobilenet_v2"])],  # of another family
        _with_network,
    ),
    "classes": Axis(
        "Classes",
        lambda value: {"target": value},
        lambda experiment: {str(index): label for index, label in enumerate(experiment.model.categories)},
        lambda experiment: [str(one.index) for one in experiment.predictions[:3]],
        lambda cell, index: replace(cell, experiment=replace(cell.experiment, target=int(index))),
    ),
    "images": Axis(
        "Images",
        lambda value: {"img": value},
        lambda experiment: {key: image.name for key, image in image_input.choices().items()},
        lambda experiment: list(dict.fromkeys([experiment.image.id, "sample:cat", "sample:panda"])),
        lambda cell, key: replace(cell, experiment=replace(cell.experiment, image=image_input.choices()[key])),
    ),
    "pins": Axis(
        "Pinned heatmaps",
        lambda value: _pin(value).settings,
        lambda experiment: {str(pin): pin.label for pin in pins.pins()},
        lambda experiment: [str(pin) for pin in pins.pins()],
        lambda cell, value: _pinned(cell, _pin(value)),
    ),
}


def choose(experiment: Experiment) -> Grid:
    """Draw the controls of the grid and return the chosen cells; a single value on an axis becomes the row."""
    rows, columns, values = _chosen(experiment)
    _pickers(experiment, rows, columns)
    if "methods" not in (rows, columns):
        method = method_picker.method_picker()
        start = Cell(experiment, method, method_picker.knobs(method))
    else:
        start = Cell(experiment, METHODS["grad_cam"], METHODS["grad_cam"].settings({}))
    axes = [name for name in (rows, columns) if name != NONE]
    labels = {name: AXES[name].values(experiment) for name in axes}
    down, across = (values["rows"] if rows != NONE else [NONE]), values["columns"]
    if len(across) == 1 and len(down) > 1:
        rows, columns, down, across = columns, rows, across, down

    def cell(row: str, column: str) -> Question | CamvizError:
        made = start
        # A model is put in before the layer and the class that are looked up in it.
        for name, value in sorted(((rows, row), (columns, column)), key=lambda pair: pair[0] != "networks"):
            try:
                made = AXES[name].change(made, value) if name != NONE else made
            except CamvizError as error:
                return error
        try:
            return made.question
        except CamvizError as error:
            return error

    def link(row: str, column: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in ((rows, row), (columns, column)):
            found |= AXES[name].link(value) if name != NONE else {}
        return found

    return Grid(
        [labels[rows][value] if rows != NONE else "" for value in down],
        [labels[columns][value] for value in across],
        [[cell(row, column) for column in across] for row in down],
        [[link(row, column) for column in across] for row in down],
    )


def _chosen(experiment: Experiment) -> tuple[str, str, dict[str, list[str]]]:
    """Return the axis of the rows and of the columns, and the values of both, from the settings.

    The page opens with a single row. A link that names any other part of the grid, but no rows, is older than that: it
    has layers as rows, and links are still written so.
    """
    sides = ("rows", "columns")
    settings.replace_former(
        {f"{side}.pictures": f"{side}.images" for side in sides}, {(side, "pictures"): "images" for side in sides}
    )
    others = ["columns", *(f"{side}.{name}" for side in sides for name in AXES)]
    given = settings.asked("rows") or st.session_state.get("rows")
    old = given is None and any(settings.asked(key) is not None for key in others)
    default = DEFAULT_ROWS if old or given == DEFAULT_ROWS else NONE
    rows = settings.setting("rows", default, [NONE, *AXES])
    usual = "methods" if rows != "methods" else "layers"
    columns = settings.setting("columns", usual, [name for name in AXES if name != rows])
    values, changed = {}, columns != usual
    for side, name in (("rows", rows), ("columns", columns)):
        if name != NONE:
            first = FIRST if rows == NONE and name == "methods" else AXES[name].first(experiment)
            known = AXES[name].values(experiment)
            first = [value for value in first if value in known]
            values[side] = settings.many(f"{side}.{name}", first, list(known), MOST)
            changed = changed or values[side] != first
    if changed:
        settings.choose("rows", rows)  # else it would follow the default of the line below
    settings.setting("rows", DEFAULT_ROWS if changed else NONE, [NONE, *AXES])
    return rows, columns, values


def _pickers(experiment: Experiment, rows: str, columns: str) -> None:
    place = st.container(horizontal=True, vertical_alignment="bottom")
    for side, taken in (("columns", rows), ("rows", columns)):
        place.selectbox(
            tr(side.capitalize()),
            [name for name in ([NONE, *AXES] if side == "rows" else AXES) if name != taken],
            format_func=lambda name: tr("None") if name == NONE else tr(AXES[name].title),
            key=side,
            persist_state="session",
            width=150,
            help=tr("What varies along this axis. Choose up to 8 values."),
        )
    for side, name in (("columns", columns), ("rows", rows)):
        if name != NONE:
            labels = AXES[name].values(experiment)
            place.multiselect(
                tr(AXES[name].title),
                list(labels),
                format_func=partial(_label, labels),
                key=f"{side}.{name}",
                placeholder=tr("Choose options"),
                max_selections=MOST,
                persist_state="session",
            )
    if rows == NONE and columns == "methods":
        place.button(
            tr("Compare models"),
            icon=":material/view_column:",
            key="compare.models",
            on_click=_compare_models,
            help=tr("Show one method on several models that are on this machine."),
        )


def _compare_models() -> None:
    st.session_state["columns"] = "networks"


def _label(labels: Mapping[str, str], value: str) -> str:
    label = labels[value]
    return tr_class(label) if isinstance(label, ImageNetName) else setting_label(label)
