"""The numbers of the ranking of methods: means with intervals, comparison with the controls, downloads."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import Any

import streamlit as st

from ...evaluation.bootstrap import Interval, bootstrap_interval, bootstrap_win_rate
from ...evaluation.registry import Metric
from ...messages import Message, join
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
SURE = 0.95  # the share of bootstrap samples in which a better method must be ahead
FEWEST = 3  # images for an interval or a comparison
NOTHING = "–"  # the text of a cell without a number


@dataclass(frozen=True)
class Row:
    """A method in the table: its values for each image, None if not computed yet, NaN if the metric cannot be used."""

    method: Method
    values: dict[str, list[float | None]]  # by the key of the metric

    @property
    def is_control(self) -> bool:
        """Return whether the method is a control."""
        return self.method.family == "control"

    def numbers(self, metric: Metric) -> dict[int, float]:
        """Return the known numbers by the position of their image."""
        known = enumerate(self.values[metric.key])
        return {place: value for place, value in known if value is not None and not isnan(value)}


@dataclass(frozen=True)
class Ranking:
    """Methods and controls compared over the images that all of them have a number for."""

    rows: Sequence[Row]
    metrics: Sequence[Metric]
    total: int  # images that were chosen

    def images(self, metric: Metric) -> list[int]:
        """Return the positions of the images for which every row has a number; rows without any number do not count."""
        known = [found for row in self.rows if (found := row.numbers(metric))]
        return sorted(set.intersection(*map(set, known))) if known else []

    @property
    def count(self) -> int:
        """Return the number of images behind the means, of the metric with the most images."""
        return max((len(self.images(metric)) for metric in self.metrics), default=0)

    def standing(self, row: Row, metric: Metric) -> Interval | None:
        """Return the row's mean with its interval, or None if it has no number."""
        numbers = row.numbers(metric)
        values = [numbers[place] for place in self.images(metric)] if numbers else []
        return bootstrap_interval(values) if values else None

    def beaten(self, row: Row) -> tuple[list[Metric], list[Metric]]:
        """Return the metrics in which a row beats all controls, and those in which this can be decided."""
        controls = [one for one in self.rows if one.is_control]
        decided = [
            metric
            for metric in self.metrics
            if len(self.images(metric)) >= FEWEST and all(one.numbers(metric) for one in (row, *controls))
        ]
        won = [metric for metric in decided if all(self._beats(row, control, metric) for control in controls)]
        return won, decided

    def _beats(self, row: Row, other: Row, metric: Metric) -> bool:
        ours, theirs = row.numbers(metric), other.numbers(metric)
        over = self.images(metric)
        return bootstrap_win_rate([ours[one] for one in over], [theirs[one] for one in over], metric.better) >= SURE

    @property
    def sentence(self) -> str:
        """Return how the means were computed, and over how many images."""
        text = (
            Message(HOW, count=self.count, sure=percent(SURE, 0))
            if self.count > 1
            else Message("Numbers of one image; ↓ low is good, ↑ high is good.")
        )
        if self.count == self.total:
            return text
        over = Message(
            "Every row has a number for {count} of {total} images. n is the number of images where it is below "
            "{total}; {fewest} images are needed for an interval and for a comparison.",
            count=self.count,
            total=self.total,
            fewest=FEWEST,
        )
        return Message("{first} {second}", first=text, second=over)


def columns_of(ranking: Ranking) -> dict[str, list[Any]]:
    """Return the table by its columns; empty if there are no numbers yet."""
    if not ranking.count:
        return {}
    columns: dict[str, list[Any]] = {
        Message("Method"): [
            Message("{method} (control)", method=row.method.title) if row.is_control else row.method.title
            for row in ranking.rows
        ],
        Message("Beats all controls in"): [
            "" if row.is_control else _beaten(*ranking.beaten(row)) for row in ranking.rows
        ],
    }
    for metric in ranking.metrics:
        line = [ranking.standing(row, metric) for row in ranking.rows]
        arrow = "↓" if metric.better == "low" else "↑"
        complete = all(one and one.count == ranking.total for one in line)  # then the cells sort as numbers
        columns[Message("{metric} {arrow}", metric=metric.title, arrow=arrow)] = [
            one.mean if complete and one else _mean(one, ranking.total) for one in line
        ]
        columns[Message("{metric}, 95%", metric=metric.title)] = [
            f"{one.low:.2f} … {one.high:.2f}" if one and one.count >= FEWEST else NOTHING for one in line
        ]
    return columns


def _beaten(won: Sequence[Metric], decided: Sequence[Metric]) -> str:
    if not decided:
        return NOTHING
    share = f"{len(won)} / {len(decided)}"
    return Message("{first}: {second}", first=share, second=join([one.title for one in won])) if won else share


def _mean(one: Interval | None, total: int) -> str:
    if one is None:
        return NOTHING
    return f"{one.mean:.3f}" if one.count == total else f"{one.mean:.3f}, n = {one.count}"


def draw(ranking: Ranking, columns: Mapping[str, Sequence[Any]]) -> None:
    """Draw the table."""
    st.dataframe(
        translated_table(columns),
        hide_index=True,
        height="content",
        column_config={
            tr_message(name): st.column_config.NumberColumn(format="%.3f")
            for name, cells in columns.items()
            if all(isinstance(cell, float) for cell in cells)
        },
        alt=tr("Means by method and metric, with their intervals"),
    )
    st.caption(f"{tr_message(ranking.sentence)} {tr('Click a column to sort.')}")


def report_table(columns: Mapping[str, Sequence[Any]]) -> Table:
    """Return the table's lines as a report has them."""
    lines = [[_words(cell) for cell in line] for line in zip(*columns.values(), strict=True)]
    return [tuple(columns), *lines]


def _words(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:.3f}"


def downloads(experiment: Experiment, ranking: Ranking, ids: Sequence[str]) -> None:
    """Draw the downloads of the means and of all values."""
    name = file_name("camviz-ranking", experiment.model.name, experiment.layer)
    buttons = st.container(horizontal=True)
    for part, label, make in (
        ("table", tr("Download means (CSV)"), summary),
        ("numbers", tr("Download all values (CSV)"), partial(numbers, ids=ids)),
    ):
        buttons.download_button(
            label,
            partial(make, experiment, ranking),
            f"{name}-{part}.csv",
            "text/csv",
            on_click="ignore",
        )


def summary(experiment: Experiment, ranking: Ranking) -> str:
    """Return the means as CSV, one line for each method and metric; below three images without an interval."""
    lines: list[list[Any]] = []
    for row in ranking.rows:
        for metric in ranking.metrics:
            if one := ranking.standing(row, metric):
                bounds = [one.low, one.high] if one.count >= FEWEST else ["", ""]
                lines.append([*_of(experiment, row, metric), metric.better, one.mean, *bounds, one.count])
    return _csv(["model", "weights", "layer", "method", "metric", "better", "mean", "low", "high", "images"], lines)


def numbers(experiment: Experiment, ranking: Ranking, ids: Sequence[str]) -> str:
    """Return all values as CSV, one line for each method, metric and image id."""
    lines = [
        [*_of(experiment, row, metric), ids[place], value]
        for row in ranking.rows
        for metric in ranking.metrics
        for place, value in row.numbers(metric).items()
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
