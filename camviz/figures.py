"""Plotly figures and the color bar, with transparent backgrounds for light and dark pages."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from .encode import wrap
from .errors import CamvizError
from .messages import Message
from .render import color_table
from .text import percent

CLEAR = "rgba(0, 0, 0, 0)"
LINE = 18
NAME_WIDTH = 150  # pixels in the built-in font, which is wider than the page's
# Light enough everywhere for black numbers.
KINDS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#9d9dff", "#bbbbbb"]  # Okabe and Ito's
AGREEMENT = ["rgb(67,147,195)", "rgb(146,197,222)", "rgb(247,247,247)", "rgb(244,165,130)", "rgb(214,96,77)"]


def class_map(
    categories: NDArray[np.integer[Any]], names: Sequence[str], ink: str | None = None, say: Callable[[str], str] = str
) -> go.Figure:
    """Which class is the most probable at each place, (rows, columns): a letter and a color for each class.

    `names` are all classes' names by index. The seven most frequent classes have a color each, the rest share one.
    `say` translates the names and the legend.
    """
    found, counts = np.unique(categories, return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    rank = {int(category): min(place, len(KINDS) - 1) for place, category in enumerate(order)}
    ranks = np.vectorize(rank.__getitem__)(categories)
    letters = np.array(list("ABCDEFGH"))[ranks]
    figure = go.Figure()
    for place in sorted(set(rank.values())):
        alike = [int(category) for category in order if rank[int(category)] == place]
        title = names[alike[0]] if len(alike) == 1 else Message("{count} other classes", count=len(alike))
        legend = Message(
            "{letter} {label}: {share} of the places",
            letter="ABCDEFGH"[place],
            label=title,
            share=percent(float((ranks == place).mean()), exact=True),
        )
        figure.add_trace(
            go.Heatmap(
                z=np.where(ranks == place, 1.0, np.nan),
                text=letters,
                customdata=np.vectorize(lambda index: html.escape(say(names[index])))(categories),
                texttemplate="%{text}",
                textfont={"color": "#111111"},
                hovertemplate="%{customdata}<extra></extra>",
                colorscale=[KINDS[place]] * 2,
                showscale=False,
                showlegend=True,
                name=html.escape(say(legend)),
                xgap=1,
                ygap=1,
            )
        )
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    figure.update_layout(
        xaxis=axis,
        yaxis={**axis, "autorange": "reversed", "scaleanchor": "x"},
        legend={"orientation": "h", "y": 0, "yanchor": "top"},
        font={"color": ink} if ink else {},
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        height=460,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
    )
    return figure


def correlation_heatmap(matrix: NDArray[np.floating[Any]], names: Sequence[str], ink: str | None = None) -> go.Figure:
    """Return a figure of the rank correlations of n maps, (n, n): numbers in cells, blue at -1, white at 0, red at 1.

    Rows are labeled with a number and a name, columns with the number alone, so that long names fit.
    """
    n = len(names)
    if matrix.shape != (n, n):
        raise CamvizError(
            "{n} names need a matrix of shape {expected}; got {shape}", n=n, expected=(n, n), shape=matrix.shape
        )
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


def color_bar(color_map: str, low: str, high: str, label: str) -> str:
    """Return a color bar as HTML: the colors, a text at both ends, and the label between them.

    HTML instead of a figure: the text takes the font and color of the page, and no chart library runs.
    """
    stops = ", ".join("rgb({}, {}, {})".format(*color) for color in color_table(color_map)[::15])
    low, high, label = html.escape(low), html.escape(high), html.escape(label)
    return (
        f'<div role="img" aria-label="Color bar: {label}, from {low} to {high}" style="font-size: 0.875rem">'
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
