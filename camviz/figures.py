"""Tables of colored cells: the agreement of heatmaps, and the most probable class at each place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CamvizError
from .messages import Message
from .text import percent

LETTERS = "ABCDEFGH"
# Light enough everywhere for black text.
KINDS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#9d9dff", "#bbbbbb"]  # Okabe and Ito's
AGREEMENT = ["rgb(67,147,195)", "rgb(146,197,222)", "rgb(247,247,247)", "rgb(244,165,130)", "rgb(214,96,77)"]


@dataclass(frozen=True)
class Cell:
    """A cell: its text, its color in CSS, and its tooltip."""

    text: str
    color: str
    tooltip: str


@dataclass(frozen=True)
class Matrix:
    """A table of cells by row, with the names of its rows and columns, and a legend: colors with their meaning."""

    cells: tuple[tuple[Cell, ...], ...]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    legend: tuple[tuple[str, Message], ...] = ()


def class_map(categories: NDArray[np.integer[Any]], names: Sequence[str]) -> Matrix:
    """Return a table of the most probable class at each place (rows, columns), with a letter and a color per class.

    `names` are the names of all classes by index. The seven most frequent classes have their own colors, the rest share
    one.
    """
    found, counts = np.unique(categories, return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    rank = {int(category): min(place, len(KINDS) - 1) for place, category in enumerate(order)}
    ranks = np.vectorize(rank.__getitem__)(categories)
    legend = []
    for place in sorted(set(rank.values())):
        alike = [int(category) for category in order if rank[int(category)] == place]
        label = names[alike[0]] if len(alike) == 1 else Message("{count} other classes", count=len(alike))
        share = percent(float((ranks == place).mean()), exact=True)
        sentence = Message("{letter} {label}: {share} of the places", letter=LETTERS[place], label=label, share=share)
        legend.append((KINDS[place], sentence))
    cells = tuple(
        tuple(Cell(LETTERS[rank[int(one)]], KINDS[rank[int(one)]], names[int(one)]) for one in row)
        for row in categories
    )
    return Matrix(cells, legend=tuple(legend))


def correlation_matrix(matrix: NDArray[np.floating[Any]], names: Sequence[str]) -> Matrix:
    """Return the rank correlations of n heatmaps, (n, n): blue at -1, white at 0, red at 1.

    Rows are labeled with a number and a name, columns only with the number, so that long names fit.
    """
    n = len(names)
    if matrix.shape != (n, n):
        raise CamvizError(
            "{n} names need a matrix of shape {expected}; got {shape}", n=n, expected=(n, n), shape=matrix.shape
        )
    cells = tuple(
        tuple(Cell(f"{matrix[a, b]:.2f}", _agreement_color(matrix[a, b]), f"{names[a]} · {names[b]}") for b in range(n))
        for a in range(n)
    )
    rows = tuple(f"{number} {name}" for number, name in enumerate(names, 1))
    return Matrix(cells, rows, tuple(str(number) for number in range(1, n + 1)))


def _agreement_color(correlation: float) -> str:
    stops = np.array([[int(part) for part in color[4:-1].split(",")] for color in AGREEMENT])
    places = np.linspace(-1, 1, len(stops))
    red, green, blue = (round(float(np.interp(correlation, places, stops[:, channel]))) for channel in range(3))
    return f"rgb({red},{green},{blue})"
