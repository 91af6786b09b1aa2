"""Masks of a view: the pixels to edit, at the resolution of the view or on a coarser grid."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CamvizError

Mask = NDArray[np.bool_]
RGB = NDArray[np.uint8]

GRID = 56  # cells per side of a mask that is drawn by hand


def check_mask(mask: Any) -> Mask:
    """Return a mask (h, w) of booleans, or of 0 and 1, as booleans. Raises CamvizError for anything else."""
    found = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
    if found.ndim != 2 or 0 in found.shape or found.dtype.kind not in "biuf":
        raise CamvizError(
            "a mask is an array of shape (H, W) of True and False, or of 1 and 0; got {came}",
            came=f"shape {tuple(found.shape)}, {found.dtype}",
        )
    chosen: Mask = found == 1
    if not (chosen | (found == 0)).all():
        other = found[~(chosen | (found == 0))][0]
        raise CamvizError(
            "a mask holds True and False, or 1 and 0; got {value}: compare a heatmap with a threshold first, as in "
            "heatmap >= 0.5",
            value=f"{other:g}",
        )
    return chosen


def enlarged(mask: Any, size: tuple[int, int]) -> Mask:
    """Return a mask (h, w) at the size (H, W) of a view, h <= H and w <= W: each pixel has the value of its cell.

    The cell of pixel (i, j) is the one that its center lies in: (floor((i + 1/2) h / H), floor((j + 1/2) w / W)).
    """
    chosen = check_mask(mask)
    if chosen.shape == tuple(size):
        return chosen
    if chosen.shape[0] > size[0] or chosen.shape[1] > size[1]:
        raise CamvizError(
            "the mask has the shape {mask} and the view {view}; a mask has the size of the view, or is coarser",
            mask=chosen.shape,
            view=tuple(size),
        )
    rows, columns = (
        (2 * np.arange(length) + 1) * cells // (2 * length) for length, cells in zip(size, chosen.shape, strict=True)
    )
    pixels: Mask = chosen[rows[:, None], columns]
    return pixels


def on_grid(mask: Any, cells: int = GRID) -> Mask:
    """Return a mask (H, W) on a grid of cells x cells: a cell is True if at least half of its pixels are.

    Pixels belong to cells as in `enlarged`. Raises CamvizError if the mask has fewer pixels per side than cells.
    """
    chosen = check_mask(mask)
    if min(chosen.shape) < cells:
        raise CamvizError(
            "a mask of shape {shape} is smaller than a grid of {cells} cells per side; give a larger mask",
            shape=chosen.shape,
            cells=cells,
        )
    numbers = np.arange(cells * cells).reshape(cells, cells)
    rows, columns = ((2 * np.arange(length) + 1) * cells // (2 * length) for length in chosen.shape)
    cell = numbers[rows[:, None], columns].ravel()
    count = np.bincount(cell, minlength=cells * cells)
    inside = np.bincount(cell, weights=chosen.ravel(), minlength=cells * cells)
    reduced: Mask = (2 * inside >= count).reshape(cells, cells)
    return reduced


def inverted(mask: Any) -> Mask:
    """Return the complement of a mask: `apply(view, inverted(mask))` edits everything except the masked part."""
    return ~check_mask(mask)
