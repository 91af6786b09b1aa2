"""Line charts over a share from 0 to 1, readable without color."""

import html
from collections.abc import Mapping, Sequence

import streamlit as st
from plotly import graph_objects as go

from ...figures import CLEAR

STRONG = "#d55e00"
OTHERS = ("#7f8fa6", "#0b84a5", "#9467bd", "#2e8b57")
DASHES = ("dot", "dash", "dashdot", "longdash")


def lines(
    found: Mapping[str, tuple[Sequence[float], Sequence[float]]], across: str, up: str, ink: str, top: float = 1.0
) -> go.Figure:
    """Return a chart of named lines (x, y), x from 0 to 1; the first line is solid, the others dashed."""
    figure = go.Figure()
    for number, (name, (x, y)) in enumerate(found.items()):
        line = {"color": STRONG, "width": 3}
        if number:
            line = {"color": OTHERS[(number - 1) % 4], "width": 2, "dash": DASHES[(number - 1) % 4]}
        figure.add_scatter(
            x=list(x),
            y=list(y),
            name=html.escape(name),
            mode="lines+markers" if number == 0 else "lines",
            line=line,
            hovertemplate=f"%{{x:.0%}}: %{{y:.3f}}<extra>{html.escape(name)}</extra>",
        )
    across, up = html.escape(across), html.escape(up)
    low = min([0.0, *(value for _, y in found.values() for value in y)])
    figure.update_xaxes(title=across, range=[-0.02, 1.02], tickformat=".0%", dtick=0.2, fixedrange=True, zeroline=False)
    figure.update_yaxes(title=up, range=[low - 0.03, top + 0.03], fixedrange=True)
    figure.update_layout(
        height=340,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font_color=ink,
        margin={"l": 0, "r": 24, "t": 8, "b": 0},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"color": ink}},
        showlegend=len(found) > 1,
        dragmode=False,
    )
    return figure


def ink() -> str:
    """Return the color of text in charts, for the light or the dark theme."""
    return "#fafafa" if st.context.theme.type == "dark" else "#31333f"
