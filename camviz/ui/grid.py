"""The compare grid: two axes chosen from methods, layers, networks, classes and pictures."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from .. import export, render, report
from ..errors import CamvizError
from ..evaluation.agreement import pairwise_rank_correlation
from ..explanation import Explanation
from ..registry import METHODS, Method
from . import cache, controls, networks, panels, pictures, state, tasks
from .controls import Experiment
from .language import said, t

MOST = 8  # values of an axis
ONE_PASS = 0.3  # seconds that a method of few passes is taken to need: it is computed without being asked


@dataclass(frozen=True)
class Cell:
    """One place in the grid: what is to be explained there, and how."""

    experiment: Experiment
    method: Method
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies its result."""
        return panels.key_of(self.experiment, self.method, self.knobs)


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
    model = networks.load(name, old.model.weights == "random", str(old.model.device))
    known = {layer.name for layer in model.layers}
    same = old.layer in known and old.layer != old.model.default_layer
    return replace(cell, experiment=replace(old, model=model, layer=old.layer if same else model.default_layer))


AXES: dict[str, Axis] = {
    "methods": Axis(
        "Methods",
        lambda experiment: {key: method.title for key, method in METHODS.items()},
        lambda experiment: ["grad_cam", "layer_cam", "guided_grad_cam", "guided_backprop"],
        lambda cell, key: replace(cell, method=METHODS[key], knobs=METHODS[key].settings({})),
    ),
    "layers": Axis(
        "Layers",
        lambda experiment: {layer.name: layer.name for layer in experiment.model.layers},
        _stage_ends,
        lambda cell, name: replace(cell, experiment=replace(cell.experiment, layer=name)),
    ),
    "networks": Axis(
        "Networks",
        lambda experiment: {name: entry.title for name, entry in networks.choices().items()},
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
        "Pictures",
        lambda experiment: {key: picture.name for key, picture in pictures.choices().items()},
        lambda experiment: list(dict.fromkeys([experiment.picture.id, "sample:cat", "sample:panda"])),
        lambda cell, key: replace(cell, experiment=replace(cell.experiment, picture=pictures.choices()[key])),
    ),
}


@dataclass(frozen=True)
class Grid:
    """Cells by row and column with their labels; an error in place of a cell that cannot be."""

    rows: list[str]
    columns: list[str]
    cells: list[list[Cell | CamvizError]]

    @property
    def places(self) -> list[tuple[int, int]]:
        """All (row, column), row by row."""
        return [(row, column) for row in range(len(self.rows)) for column in range(len(self.columns))]

    @property
    def signature(self) -> str:
        """What identifies the whole grid."""
        return repr([[cell.key if isinstance(cell, Cell) else str(cell) for cell in row] for row in self.cells])

    def at(self, row: int, column: int) -> Cell:
        """The cell of a place that has a map. Raises its error where there is none."""
        cell = self.cells[row][column]
        if isinstance(cell, CamvizError):
            raise cell
        return cell

    def name(self, row: int, column: int) -> str:
        """A label of one cell, in the person's language."""
        return f"{_label(self.rows[row])} · {_label(self.columns[column])}"


def choose(experiment: Experiment) -> Grid:
    """The controls of the grid, and what they ask for."""
    left, right = st.columns(2)
    with left:
        rows, row_values = _axis("rows", "layers", experiment, "")
    with right:
        columns, column_values = _axis("columns", "methods", experiment, rows)
    if "methods" not in (rows, columns):
        method = controls.method_picker()
        start = Cell(experiment, method, controls.knobs(method))
    else:
        start = Cell(experiment, METHODS["grad_cam"], METHODS["grad_cam"].settings({}))
    labels = AXES[rows].values(experiment), AXES[columns].values(experiment)
    # A network is put in before the layer and the class that are looked up in it.
    order = sorted(((rows, 0), (columns, 1)), key=lambda axis: axis[0] != "networks")

    def cell(*values: str) -> Cell | CamvizError:
        made = start
        try:
            for axis, place in order:
                made = AXES[axis].change(made, values[place])
        except CamvizError as error:
            return error
        return made

    cells = [[cell(row, column) for column in column_values] for row in row_values]
    return Grid([labels[0][value] for value in row_values], [labels[1][value] for value in column_values], cells)


def _axis(key: str, default: str, experiment: Experiment, taken: str) -> tuple[str, list[str]]:
    options = [name for name in AXES if name != taken]
    chosen = state.setting(key, default if default != taken else options[0], options)
    st.selectbox(
        t(key.capitalize()),
        options,
        format_func=lambda name: t(AXES[name].title),
        key=key,
        persist_state="session",
        help=t("What differs from map to map; all else stays as the sidebar says. Below: which ones, at most 8."),
    )
    axis = AXES[chosen]
    labels = axis.values(experiment)
    first = [value for value in axis.first(experiment) if value in labels]
    values = state.many(f"{key}.{chosen}", first, list(labels), MOST)
    st.multiselect(
        t(axis.title),
        list(labels),
        format_func=lambda value: _label(labels[value]),
        key=f"{key}.{chosen}",
        label_visibility="collapsed",
        placeholder=t("Choose options"),
        max_selections=MOST,
        persist_state="session",
    )
    return chosen, values


def _label(text: str) -> str:
    """A label of an axis as the page shows it: only methods have names in each language."""
    return said(text) if text in {method.title for method in METHODS.values()} else text


def run(grid: Grid, draw: Callable[[int, int, Explanation | CamvizError], None]) -> dict[tuple[int, int], Any]:
    """Compute what is missing, cell by cell, with progress and Cancel; what is finished stays, whatever happens."""
    done: dict[tuple[int, int], Explanation | CamvizError] = {}

    def finish(place: tuple[int, int], result: Explanation | CamvizError) -> None:
        done[place] = result
        draw(*place, result)

    missing: list[tuple[tuple[int, int], Cell]] = []
    for place in grid.places:
        cell = grid.cells[place[0]][place[1]]
        if isinstance(cell, CamvizError):
            finish(place, cell)
        elif (known := cache.store().get(cell.key)) is not None:
            finish(place, known)
        else:
            missing.append((place, cell))
    if missing:
        _compute(missing, grid.signature, finish)
    return done


def _compute(missing: Sequence[tuple[tuple[int, int], Cell]], signature: str, finish: Callable[..., None]) -> None:
    panel = st.container()
    seconds = {place: _seconds(cell) for place, cell in missing}
    stopped = st.session_state.get("stopped") == signature
    held = {place for place in seconds if stopped or seconds[place] > tasks.PATIENCE}
    if held:
        what = t("Go on: {count} maps are missing", count=len(held))
        if not stopped:
            what = t("Compute {count} slow maps", count=len(held))
        after = sum(seconds[place] for place in held)
        place_of_button = panel.empty()
        asked = t("{what}, about {seconds} s", what=what, seconds=f"{after:.0f}")
        if place_of_button.button(asked, key="go_on", type="primary"):
            held = set()
            place_of_button.empty()
    missing = [(place, cell) for place, cell in missing if place not in held]
    if not missing:
        return
    st.session_state["stopped"] = None
    control = panel.empty()
    control.button(
        t("Cancel"),
        key="cancel",
        shortcut="Esc",
        on_click=_stop,
        args=(signature,),
        help=t("Keeps the maps that are finished."),
    )
    bar = panel.progress(0.0, t("{count} maps to go", count=len(missing)))
    total = sum(seconds[place] for place, _ in missing)
    started = time.monotonic()
    for count, (place, cell) in enumerate(missing):
        passed = sum(seconds[before] for before, _ in missing[:count])

        def report(part: float, _: str, place: Any = place, count: int = count, passed: float = passed) -> None:
            share = min(1.0, (passed + part * seconds[place]) / total)
            left = (time.monotonic() - started) * (1 - share) / share if share > 0.02 else total
            told = t("{done} of {total} maps, {left}", done=count, total=len(missing), left=tasks.time_left(left))
            bar.progress(share, told)

        report(0.0, "")
        try:
            finish(place, panels.compute(cell.experiment, cell.method, cell.knobs, report))
        except CamvizError as error:
            finish(place, error)
    bar.empty()
    control.empty()


def _seconds(cell: Cell) -> float:
    try:
        return panels.expected(cell.experiment, cell.method, cell.knobs) or ONE_PASS
    except CamvizError:
        return 0.01  # the cell will say so itself


def _stop(signature: str) -> None:
    st.session_state["stopped"] = signature


def highs(done: Mapping[Any, Any]) -> dict[str, float]:
    """The top of a scale shared by all maps of a method (the units of different methods do not compare)."""
    tops: dict[str, float] = {}
    for e in done.values():
        if isinstance(e, Explanation):
            tops[e.method] = max(tops.get(e.method, 0.0), render.peak(e.attribution, e.view.shape[:2]))
    return tops


def picture(e: Explanation, colour_map: str, opacity: float, high: float | None = None) -> Any:
    """The overlay of a cell, uint8 (H, W, 3)."""
    heat = e.heatmap if high is None else render.heatmap(e.attribution, e.view.shape[:2], high=high)
    return render.overlay(e.view, heat, opacity, colour_map)


def report_of(
    grid: Grid,
    maps: Mapping[tuple[int, int], Explanation],
    shown: Mapping[tuple[int, int], Any],
    link: str,
    language: str,
    say: report.Say,
) -> str:
    """The finished cells as an HTML report, with how far they agree."""
    maps = dict(sorted(maps.items()))
    names = {
        (row, column): f"{number}. {say(grid.rows[row])} · {say(grid.columns[column])}"
        for number, (row, column) in enumerate(maps, 1)
    }
    agreement: list[list[str]] = []
    if len(maps) > 1:
        matrix = pairwise_rank_correlation([e.heatmap for e in maps.values()], (56, 56))
        agreement = [["map", *(str(number) for number in range(1, len(maps) + 1))]]
        agreement += [
            [name, *(f"{value:.2f}" for value in row)] for name, row in zip(names.values(), matrix, strict=True)
        ]
    sections = report.of_maps(
        {names[place]: e for place, e in maps.items()},
        {names[place]: shown[place] for place in maps},
        {names[place]: grid.at(*place).experiment.picture.name for place in maps},
        agreement,
    )
    return report.write("Do these maps agree?", sections, link, language, say)


def archive(grid: Grid, done: Mapping[tuple[int, int], Any], shown: Mapping[tuple[int, int], Any]) -> bytes:
    """Every finished cell as PNG and NPZ with the settings of all, as a ZIP."""
    files: dict[str, bytes] = {}
    settings = []
    for (row, column), e in done.items():
        if isinstance(e, Explanation):
            name = export.file_name(f"{row + 1}-{column + 1}", grid.rows[row], grid.columns[column])
            files[f"{name}.png"] = export.png(shown[row, column])
            files[f"{name}.npz"] = export.npz(e)
            settings.append({"file": name, **export.settings(e)})
    return export.grid_zip(files, settings)
