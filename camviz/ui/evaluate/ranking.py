"""The ranking of methods: means with intervals, comparison with the controls, downloads."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import Any

import streamlit as st

from ...evaluation.bootstrap import Interval, bootstrap_interval, bootstrap_win_rate
from ...evaluation.registry import Metric
from ...messages import Message
from ...registry import Method
from ...report import Table
from ...text import file_name, percent
from ..inputs.experiment import Experiment
from ..session.language import tr, tr_message
from ..widgets.tiles import translated_table

HOW = (
    "Means over {count} images with 95% bootstrap intervals; ↓ low is good, ↑ high is good. Beats: better than "
    "each control in {sure} of the resampled sets of images. With few images the intervals themselves are "
    "uncertain."
)
SURE = 0.95  # in what share of bootstrap samples a method must be ahead to be called better


@dataclass(frozen=True)
class Row:
    """A method in the table: its values for each image, None if not computed yet."""

    method: Method
    values: dict[str, list[float | None]]  # by the key of the metric

    def standing(self, metric: Metric) -> Interval | None:
        """Return the mean with its interval over the images that have a value."""
        found = [value for value in self.values[metric.key] if value is not None and not isnan(value)]
        return bootstrap_interval(found) if found else None

    def beats(self, other: "Row", metric: Metric) -> bool:
        """Return whether this method is better than another, in 95% of the bootstrap samples."""
        both = [
            (a, b)
            for a, b in zip(self.values[metric.key], other.values[metric.key], strict=True)
            if a is not None and b is not None and not isnan(a + b)
        ]
        if len(both) < 2:
            return False
        return bootstrap_win_rate([a for a, _ in both], [b for _, b in both], metric.better) >= SURE


def show(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric], ids: Sequence[str]) -> Table:
    """Show the table with its downloads and return its cells; empty if there are no values yet."""
    found = [[row.standing(metric) for metric in metrics] for row in rows]
    if not any(one for line in found for one in line):
        return []
    rivals = [row for row in rows if row.method.family == "control"]
    won = [[m.title for m in metrics if all(row.beats(rival, m) for rival in rivals)] for row in rows]

    def beaten(say: Callable[[str], str]) -> list[str]:
        return [
            ""
            if row in rivals
            else f"{len(names)} / {len(metrics)}" + (f": {', '.join(map(say, names))}" if names else "")
            for row, names in zip(rows, won, strict=True)
        ]

    columns: dict[str, list[Any]] = {
        Message("Method"): [
            Message("{method} (control)", method=row.method.title) if row in rivals else row.method.title
            for row in rows
        ],
        Message("Beats all controls in"): beaten(str),
    }
    for place, metric in enumerate(metrics):
        line = [intervals[place] for intervals in found]
        arrow = "↓" if metric.better == "low" else "↑"
        columns[Message("{metric} {arrow}", metric=metric.title, arrow=arrow)] = [
            one.mean if one else None for one in line
        ]
        columns[Message("{metric}, 95%", metric=metric.title)] = [
            f"{one.low:.2f} … {one.high:.2f}" if one else "" for one in line
        ]
    st.dataframe(
        translated_table(columns) | {tr("Beats all controls in"): beaten(tr_message)},
        hide_index=True,
        height="content",
        column_config={
            tr_message(name): st.column_config.NumberColumn(format="%.3f") for name in columns if name[-1] in "↓↑"
        },
        alt=tr("Means by method and metric, with their intervals"),
    )
    st.caption(f"{tr(HOW, count=len(ids), sure=percent(SURE, 0))} {tr('Click a column to sort.')}")
    name = file_name("camviz-league", experiment.model.name, experiment.layer)
    buttons = st.container(horizontal=True)
    for part, label, make in (
        ("table", tr("Means (CSV)"), summary),
        ("numbers", tr("All values (CSV)"), partial(numbers, ids=ids)),
    ):
        buttons.download_button(
            label,
            partial(make, experiment, rows, metrics),
            f"{name}-{part}.csv",
            "text/csv",
            on_click="ignore",
        )
    lines = [[_words(cell) for cell in line] for line in zip(*columns.values(), strict=True)]
    return [tuple(columns), *lines]


def _words(cell: str | float | None) -> str:
    return cell if isinstance(cell, str) else "" if cell is None else f"{cell:.3f}"


def summary(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric]) -> str:
    """Return the means as CSV, one line for each method and metric."""
    lines: list[list[Any]] = []
    for row in rows:
        for metric in metrics:
            if one := row.standing(metric):
                lines.append([*_of(experiment, row, metric), metric.better, one.mean, one.low, one.high, one.count])
    return _csv(["model", "weights", "layer", "method", "metric", "better", "mean", "low", "high", "images"], lines)


def numbers(experiment: Experiment, rows: Sequence[Row], metrics: Sequence[Metric], ids: Sequence[str]) -> str:
    """Return all values as CSV, one line for each method, metric and image id."""
    lines = [
        [*_of(experiment, row, metric), key, value]
        for row in rows
        for metric in metrics
        for key, value in zip(ids, row.values[metric.key], strict=True)
        if value is not None and not isnan(value)
    ]
    return _csv(["model", "weights", "layer", "method", "metric", "image", "value"], lines)


def _of(experiment: Experiment, row: Row, metric: Metric) -> list[Any]:
    layer = experiment.layer if row.method.layer != "none" else ""
    return [experiment.model.name, str(experiment.model.weights), layer, row.method.key, metric.key]


def _csv(header: list[str], lines: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return file.getvalue()
