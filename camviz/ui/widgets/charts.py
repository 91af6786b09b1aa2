"""Line charts, bars and tables of colored cells, drawn by the browser without a chart library."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...figures import Matrix
from ..components import component
from ..session.language import tr, tr_message

STRONG = "#d55e00"
OTHERS = ("#7f8fa6", "#0b84a5", "#9467bd", "#2e8b57")
DASHES = ("2 4", "9 5", "9 4 2 4", "16 5")  # lengths of strokes and gaps

_chart = component("chart")

Points = tuple[Sequence[float], Sequence[float]]


def line_chart(
    key: str,
    lines: Mapping[str, Points],
    across: str,
    up: str,
    alt: str,
    *,
    unit: Literal["share", "number"] = "share",
    low: float | None = None,
    high: float | None = None,
    level: tuple[str, float] | None = None,
) -> None:
    """Show named lines (x, y): the first one solid, the others dashed; `key` identifies the chart on the page.

    `across` and `up` name the axes. x runs from 0 to 1 for the unit "share", and over all points otherwise; y over all
    points, at least from `low` to `high`. `level` is a name and a value that the lines should reach.
    """
    shown = [
        {
            "name": name,
            "x": [round(float(one), 5) for one in x],
            "y": [float(f"{float(one):.6g}") for one in y],
            "color": OTHERS[(number - 1) % len(OTHERS)] if number else STRONG,
            "dash": DASHES[(number - 1) % len(DASHES)] if number else "",
        }
        for number, (name, (x, y)) in enumerate(lines.items())
    ]
    data = {
        "kind": "lines",
        "lines": shown,
        "across": across,
        "up": up,
        "unit": unit,
        "low": low,
        "high": high,
        "level": {"name": level[0], "value": level[1]} if level else None,
    }
    _draw(key, data, alt)


def bars(key: str, names: Sequence[str], values: Sequence[float], alt: str) -> None:
    """Show values as bars from zero, one below the other, each beside its name."""
    rows = [{"name": name, "value": value} for name, value in zip(names, values, strict=True)]
    _draw(key, {"kind": "bars", "rows": rows}, alt)


def matrix(key: str, table: Matrix, alt: str) -> None:
    """Show a table of colored cells, each with a tooltip."""
    data = {
        "kind": "matrix",
        "cells": [[[cell.text, cell.color, tr_message(cell.tooltip)] for cell in row] for row in table.cells],
        "rows": list(table.rows),
        "columns": list(table.columns),
        "legend": [[color, tr_message(sentence)] for color, sentence in table.legend],
    }
    _draw(key, data, alt)


def _draw(key: str, data: dict[str, Any], alt: str) -> None:
    words = {"table": tr("Table of values"), "keys": tr("Arrow keys: read values.")}
    _chart(key=f"chart.{key}", data={**data, "alt": alt, "words": words})
