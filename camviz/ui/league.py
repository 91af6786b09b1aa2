"""The league table: methods against metrics over several pictures, with the controls that a method must beat."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isnan, nan
from typing import Any

import streamlit as st

from ..errors import CamvizError
from ..evaluation.league import Interval, better_than, interval
from ..evaluation.registry import METRICS, Metric
from ..export import file_name
from ..registry import METHODS, Method
from . import cache, panels, pictures, state, tasks, trials
from .controls import Experiment
from .grid import ONE_PASS
from .tasks import Report

COMPETITORS = ("grad_cam", "layer_cam", "grad_cam_pp", "guided_backprop", "gradient_x_input")
DISCIPLINES = ("deletion", "insertion", "average_drop", "randomisation")
SURE = 0.95  # in what share of bootstrap samples a method must be ahead to be called better


@dataclass(frozen=True)
class Cell:
    """One number that the table needs: a method's, by a metric, on a picture."""

    experiment: Experiment
    method: Method
    metric: Metric

    @property
    def value(self) -> float | None:
        """The number, if it is known; not a number where the metric cannot be used on this map."""
        return trials.known(self.experiment, self.method, self.method.settings({}), self.metric)

    @property
    def seconds(self) -> float:
        """About how long it takes, the map included."""
        knobs = self.method.settings({})
        map_of_it = panels.expected(self.experiment, self.method, knobs)
        if cache.store().get(panels.key_of(self.experiment, self.method, knobs)) is None:
            map_of_it = map_of_it or ONE_PASS
        return map_of_it + trials.seconds(self.experiment, self.method, knobs, self.metric)


@dataclass(frozen=True)
class Row:
    """A method in the table: its values picture by picture, None where not computed yet."""

    method: Method
    values: dict[str, list[float | None]]  # by the key of the metric

    def standing(self, metric: Metric) -> Interval | None:
        """Its mean with the interval, over the pictures that have a number."""
        found = [value for value in self.values[metric.key] if value is not None and not isnan(value)]
        return interval(found) if found else None

    def beats(self, other: "Row", metric: Metric) -> bool:
        """Whether it is better than another row beyond the luck of the pictures."""
        both = [
            (a, b)
            for a, b in zip(self.values[metric.key], other.values[metric.key], strict=True)
            if a is not None and b is not None and not isnan(a + b)
        ]
        if len(both) < 2:
            return False
        return better_than([a for a, _ in both], [b for _, b in both], metric.better) >= SURE


def table(experiment: Experiment) -> None:
    """Choose methods, metrics and pictures; compute what is missing; show and download the table."""
    methods, metrics, over = _choose(experiment)
    if not methods or not metrics or not over:
        st.info("Choose at least one method, one measure and one picture.")
        return
    subjects = [replace(experiment, picture=picture, target=-1, rival=-1) for picture in over]
    cells = {
        (method.key, metric.key): [Cell(subject, method, metric) for subject in subjects]
        for method in methods
        for metric in metrics
    }
    _compute([cell for row in cells.values() for cell in row if cell.value is None])
    rows = [
        Row(method, {metric.key: [cell.value for cell in cells[method.key, metric.key]] for metric in metrics})
        for method in methods
    ]
    _show(experiment, rows, metrics, [picture.id for picture in over])
    for metric in metrics:
        st.caption(f"**{metric.title}**: {metric.tooltip} **What it can't tell.** {metric.cannot}")


def _choose(experiment: Experiment) -> tuple[list[Method], list[Metric], list[pictures.Picture]]:
    refused = panels.refusals(experiment)
    keys = [key for key, one in METHODS.items() if key not in refused and one.family != "control"]
    found = pictures.choices()
    left, right = st.columns(2)
    with left:
        methods = state.many("competitors", [key for key in COMPETITORS if key in keys], keys)
        st.multiselect(
            "Methods", keys, format_func=lambda key: METHODS[key].title, key="competitors", persist_state="session"
        )
    with right:
        offered = [key for key, one in METRICS.items() if not one.of_mosaics]
        metrics = state.many("measures", DISCIPLINES, offered)
        st.multiselect(
            "Measures", offered, format_func=lambda key: METRICS[key].title, key="measures", persist_state="session"
        )
    over = state.many("over", list(found), list(found))
    st.multiselect(
        "Pictures", list(found), format_func=lambda key: found[key].name, key="over", persist_state="session"
    )
    st.caption(
        "Every picture is explained for the class that the network predicts, at the layer of the sidebar. "
        "The three controls know nothing of the network's reasons: a method that does not beat them has shown nothing."
    )
    rows = [METHODS[key] for key in methods] + [one for one in trials.controls_for(experiment) if methods]
    return rows, [METRICS[key] for key in metrics], [found[key] for key in over]


def _compute(missing: Sequence[Cell]) -> None:
    """Compute the missing numbers after a click that tells the time; what is finished stays, whatever happens."""
    if not missing:
        return
    seconds = 0.0
    for cell in missing:
        try:
            seconds += cell.seconds
        except CamvizError:
            continue  # its number will be "none"

    def work(report: Report) -> bool:
        for place, cell in enumerate(missing):
            told = f"{place} of {len(missing)} numbers"

            def share(part: float, text: str, place: int = place, told: str = told) -> None:
                report((place + min(1.0, part)) / len(missing), told)

            share(0.0, "")
            knobs = cell.method.settings({})
            try:
                trials.number(cell.experiment, cell.method, knobs, cell.metric, share)
            except CamvizError:
                trials.keep(cell.experiment, cell.method, knobs, cell.metric, nan)
        return True

    keys = tuple(trials.number_key(one.experiment, one.method, one.method.settings({}), one.metric) for one in missing)
    tasks.run("league", ("league", keys), seconds, f"Compute {len(missing)} numbers", work)


def _show(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric], ids: Sequence[str]) -> None:
    standings = [[row.standing(metric) for metric in metrics] for row in rows]
    if not any(one for line in standings for one in line):
        return
    rivals = [row for row in rows if row.method.family == "control"]
    won = [[m.title for m in metrics if all(row.beats(rival, m) for rival in rivals)] for row in rows]
    columns: dict[str, list[Any]] = {
        "Method": [f"{row.method.title} (control)" if row in rivals else row.method.title for row in rows],
        "Beats all controls in": [
            "" if row in rivals else f"{len(names)} of {len(metrics)}" + (f": {', '.join(names)}" if names else "")
            for row, names in zip(rows, won, strict=True)
        ],
    }
    for place, metric in enumerate(metrics):
        line = [standing[place] for standing in standings]
        arrow = "↓" if metric.better == "low" else "↑"
        columns[f"{metric.title} {arrow}"] = [one.mean if one else None for one in line]
        columns[f"{metric.title}, 95 %"] = [f"{one.low:.2f} to {one.high:.2f}" if one else "" for one in line]
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in columns if name[-1] in "↓↑"},
        alt="Means by method and measure, with their intervals",
    )
    st.caption(
        f"Means over {len(ids)} pictures with their 95 % bootstrap intervals; ↓ low is good, ↑ high is good. Click a "
        f"column to sort. *Beats*: ahead of each control in {SURE:.0%} of the resampled sets of pictures. "
        "With few pictures an interval is itself uncertain."
    )
    name = file_name("camviz-league", experiment.model.name, experiment.layer)
    buttons = st.container(horizontal=True)
    for label, make in (("The table (CSV)", summary), ("Every number (CSV)", partial(numbers, ids=ids))):
        buttons.download_button(
            label,
            partial(make, experiment, rows, metrics),
            f"{name}-{'numbers' if label.startswith('Every') else 'table'}.csv",
            "text/csv",
            on_click="ignore",
        )


def summary(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric]) -> str:
    """The table as CSV, one line a method and metric."""
    lines: list[list[Any]] = []
    for row in rows:
        for metric in metrics:
            if one := row.standing(metric):
                lines.append([*_of(experiment, row, metric), metric.better, one.mean, one.low, one.high, one.count])
    return _csv(["model", "weights", "layer", "method", "metric", "better", "mean", "low", "high", "pictures"], lines)


def numbers(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric], ids: Sequence[str]) -> str:
    """Every single number as CSV, one line a method, metric and picture; the picture by its id."""
    lines = [
        [*_of(experiment, row, metric), key, value]
        for row in rows
        for metric in metrics
        for key, value in zip(ids, row.values[metric.key], strict=True)
        if value is not None and not isnan(value)
    ]
    return _csv(["model", "weights", "layer", "method", "metric", "picture", "value"], lines)


def _of(experiment: Experiment, row: Row, metric: Metric) -> list[Any]:
    layer = experiment.layer if row.method.layer != "none" else ""
    return [experiment.model.name, experiment.model.weights, layer, row.method.key, metric.key]


def _csv(header: list[str], lines: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return file.getvalue()
