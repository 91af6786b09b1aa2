"""Drawings of the steps of a method: rows of images, and coarse maps cell by cell."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from ... import encode, render
from ..inputs.experiment import Experiment


def side_by_side(*images: tuple[str, NDArray[np.uint8]]) -> None:
    """Show images side by side, each above its name."""
    grid = st.grid(max(3, len(images)), min_column_width=110)
    for name, image in images:
        with grid.cell():
            st.image(encode.png(image), alt=name, width="stretch")
            st.caption(name)


def cells(values: Tensor, colors: str, high: float) -> NDArray[np.uint8]:
    """Return a map with each cell as a square, (H, W, 3), without interpolation."""
    plane = values.detach().cpu().numpy().astype(np.float64)
    scaled = plane / high if high else plane
    if colors == "blue-red":
        rgb = render.diverging(np.clip(scaled, -1, 1))
    else:
        rgb = render.colorize(np.clip(scaled, 0, 1), colors)
    times = max(1, 224 // max(plane.shape))
    return rgb.repeat(times, axis=0).repeat(times, axis=1)


def over(experiment: Experiment, attribution: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a heatmap over the image that the model sees."""
    view = experiment.view
    return render.overlay(view, render.heatmap(attribution, view.shape[:2]))
