"""Plotly figures and the colour bar: transparent, so that they sit on a light page and on a dark one."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from .errors import CamvizError
from .export import wrap
from .render import colour_table

CLEAR = "rgba(0, 0, 0, 0)"
LINE = 18
NAME_WIDTH = 150  # pixels in the built-in font, which is wider than the page's
# Light enough everywhere for black numbers.
AGREEMENT = ["rgb(67,147,195)", "rgb(146,197,222)", "rgb(247,247,247)", "rgb(244,165,130)", "rgb(214,96,77)"]


def percent(probability: float) -> str:
    """A probability in words that never claim certainty: '95.3 %', 'under 0.1 %', 'over 99.9 %'."""
    if probability < 0.001:
        return "under 0.1 %"
    return "over 99.9 %" if probability > 0.999 else f"{probability:.1%}".replace("%", " %")


def correlation_heatmap(matrix: NDArray[np.floating[Any]], names: Sequence[str], ink: str | None = None) -> go.Figure:
    """How far each two maps agree, (n, n): numbers in the cells, blue at -1, white at 0, red at 1.

    Names stand at the rows with a number, and the columns carry the number alone, so that long names fit.
    """
    n = len(names)
    if matrix.shape != (n, n):
        raise CamvizError(f"{n} names need a matrix of shape {(n, n)}; got {matrix.shape}")
    lines = [wrap(f"{row + 1} {name}", NAME_WIDTH, 12) for row, name in enumerate(names)]
    labels = ["<br>".join(html.escape(line) for line in wrapped) for wrapped in lines]
    plain = [html.escape(name) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            zmin=-1,
            zmax=1,
            colorscale=AGREEMENT,
            xgap=2,
            ygap=2,
            texttemplate="%{z:.2f}",
            textfont={"color": "#111111"},
            customdata=[[f"{a}<br>{b}" for b in plain] for a in plain],
            hovertemplate="%{customdata}<br>rank correlation %{z:.2f}<extra></extra>",
            showscale=False,
        )
    )
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(n)),
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "tickfont_color": ink,
    }
    figure.update_xaxes(ticktext=[str(column + 1) for column in range(n)], side="top", tickangle=0, **ticks)
    figure.update_yaxes(ticktext=labels, autorange="reversed", automargin=True, **ticks)
    row = max([36, *(12 + 15 * len(wrapped) for wrapped in lines)])
    return _plain(figure, 28 + n * row, ink, margin={"l": 0, "r": 0, "t": 28, "b": 0}, dragmode=False)


def colour_bar(colour_map: str, low: str, high: str, label: str) -> str:
    """A slim colour bar as a piece of HTML: the colours, what both ends mean, and the label between them.

    HTML rather than a figure: the text takes the page's font and colour, and it costs no chart.
    """
    stops = ", ".join("rgb({}, {}, {})".format(*colour) for colour in colour_table(colour_map)[::15])
    low, high, label = html.escape(low), html.escape(high), html.escape(label)
    return (
        f'<div role="img" aria-label="Colour bar: {label}, from {low} to {high}" style="font-size: 0.875rem">'
        f'<div style="height: 10px; border-radius: 5px; border: 1px solid rgba(128, 128, 128, 0.5);'
        f' background: linear-gradient(to right, {stops})"></div>'
        '<div style="display: flex; justify-content: space-between; gap: 1em; line-height: 1.3; margin-top: 3px">'
        f'<span>{low}</span><span style="text-align: center; opacity: 0.8">{label}</span>'
        f'<span style="text-align: right">{high}</span></div></div>'
    )


def _plain(figure: go.Figure, height: float, ink: str | None, **layout: Any) -> go.Figure:
    figure.update_layout(
        {
            "height": height,
            "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR,
            "showlegend": False,
            "font_color": ink,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            **layout,
        }
    )
    return figure
