"""What the steps of a method are drawn with: rows of images, coarse maps cell by cell, small charts."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from ... import encode, figures, render
from ..inputs.experiment import Experiment
from . import charts


def side_by_side(*images: tuple[str, NDArray[np.uint8]]) -> None:
    """Images beside one another, each under its name."""
    grid = st.grid(max(3, len(images)), min_column_width=110)
    for name, image in images:
        with grid.cell():
            st.image(encode.png(image), alt=name, width="stretch")
            st.caption(name)


def cells(values: Tensor, colors: str, high: float) -> NDArray[np.uint8]:
    """Every cell as a square, (H, W, 3): coarse maps stay as coarse as they are."""
    plane = values.detach().cpu().numpy().astype(np.float64)
    scaled = plane / high if high else plane
    if colors == "blue-red":
        rgb = render.diverging(np.clip(scaled, -1, 1))
    else:
        rgb = render.colorize(np.clip(scaled, 0, 1), colors)
    times = max(1, 224 // max(plane.shape))
    return rgb.repeat(times, axis=0).repeat(times, axis=1)


def over(experiment: Experiment, attribution: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A map over the image that the network sees."""
    view = experiment.view
    return render.overlay(view, render.heatmap(attribution, view.shape[:2]))


def bars(names: list[str], values: list[float]) -> go.Figure:
    """Values as bars, each under its name."""
    figure = go.Figure(go.Bar(x=names, y=values, text=[f"{value:.3g}" for value in values], cliponaxis=False))
    return plain(figure, "", "")


def plain(figure: go.Figure, across: str, up: str) -> go.Figure:
    """The figure without a background, small and still, its axes named."""
    figure.update_xaxes(title=across, fixedrange=True, type="category" if not across else None)
    figure.update_yaxes(title=up, fixedrange=True)
    figure.update_layout(
        height=260,
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        paper_bgcolor=figures.CLEAR,
        plot_bgcolor=figures.CLEAR,
        font_color=charts.ink(),
        showlegend=False,
        dragmode=False,
    )
    return figure


def chart(figure: go.Figure, alt: str) -> None:
    """The figure on the page; `alt` says what it shows."""
    st.plotly_chart(figure, alt=alt, config={"displayModeBar": False})
