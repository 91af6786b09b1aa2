"""Superpixels by SLIC (Achanta et al., TPAMI 2012): connected parts of similar color."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]
from torch import Tensor

from ..errors import CamvizError
from ..images.arrays import check_view

Float = NDArray[np.float64]
Labels = NDArray[np.intp]

TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # of linear sRGB
WHITE = np.array([0.95047, 1, 1.08883])  # D65
ITERATIONS = 6
NEAR = ((0, 0), (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def segments(view: Any, count: int = 120, compactness: float = 12.0) -> Labels:
    """Return the superpixels of a view: the number of the superpixel of each pixel, (H, W), from 0 without gaps.

    k-means over color (CIELAB) and place: D^2 = |lab - lab_k|^2 + (compactness / S)^2 |xy - xy_k|^2, where S is the
    side of one of `count` equal squares, at which the centers start. Each pixel chooses among the nine centers that
    started around it. Every superpixel is connected; about `count` remain. Raises CamvizError on wrong input.
    """
    pixels = check_view(view)
    height, width = pixels.shape[:2]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= height * width // 4:
        raise CamvizError(
            "the number of superpixels must be a whole number of 1 to {most} for this view; got {count}",
            most=height * width // 4,
            count=repr(count)[:60],
        )
    if not 0 < compactness < np.inf:
        raise CamvizError("compactness must be a positive number; got {value}", value=repr(compactness)[:60])
    side = (height * width / count) ** 0.5
    rows, columns = (max(1, round(length / side)) for length in (height, width))
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1) * (compactness / side)
    features = np.concatenate([lab(pixels), place], axis=-1).reshape(-1, 5)
    cell_row, cell_column = np.arange(height) * rows // height, np.arange(width) * columns // width
    start = (cell_row[:, None] * columns + cell_column).ravel()
    around = _neighbors(start, rows, columns)
    labels = start
    for _ in range(ITERATIONS):
        centers = _means(features, labels, rows * columns)
        labels = _nearest(features, centers, around)
    return _connected(labels.reshape(height, width))


def segments_of(image: Tensor, count: int) -> Tensor:
    """Return the superpixels of a normalized image (C, H, W) as numbers (H, W); fewer than `count` for a small image.

    The values are scaled to 0..255 first; only the first three channels are used.
    """
    colors = image.detach().cpu().double()[:3]
    colors = colors.expand(3, -1, -1) if len(colors) < 3 else colors
    low, high = colors.amin(), colors.amax()
    view = (255 * (colors - low) / (high - low).clamp(min=1e-12)).round().to(torch.uint8).permute(1, 2, 0).numpy()
    most = max(1, view.shape[0] * view.shape[1] // 4)
    return torch.from_numpy(segments(np.ascontiguousarray(view), min(count, most))).to(image.device)


def lab(pixels: NDArray[np.uint8]) -> Float:
    """Return the colors of an sRGB image (H, W, 3) in CIELAB, (H, W, 3): lightness 0 to 100, green-red, blue-yellow."""
    unit = np.arange(256) / 255
    linear = np.where(unit > 0.04045, ((unit + 0.055) / 1.055) ** 2.4, unit / 12.92)[pixels]
    xyz = linear @ TO_XYZ.T / WHITE
    x, y, z = np.moveaxis(np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _neighbors(start: Labels, rows: int, columns: int) -> list[Labels]:
    """Return the nine centers around each pixel, each (H * W,); at a border, the nearest one repeated."""
    row, column = start // columns, start % columns
    return [(row + down).clip(0, rows - 1) * columns + (column + right).clip(0, columns - 1) for down, right in NEAR]


def _means(features: Float, labels: Labels, count: int) -> Float:
    """Return the mean of the features of each label, (count, 5); infinite for one without pixels."""
    sizes = np.bincount(labels, minlength=count)
    sums = np.stack([np.bincount(labels, weights=one, minlength=count) for one in features.T], axis=1)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], np.inf)


def _nearest(features: Float, centers: Float, around: list[Labels]) -> Labels:
    best, chosen = np.full(len(features), np.inf), around[0]
    for candidates in around:
        distance = ((features - centers[candidates]) ** 2).sum(axis=1)
        closer = distance < best
        best, chosen = np.where(closer, distance, best), np.where(closer, candidates, chosen)
    return chosen


def _connected(labels: Labels) -> Labels:
    """Return labels that are connected parts each: smaller parts are joined to the nearest one."""
    parts = _components(labels)
    sizes = np.bincount(parts.ravel())
    of_part = np.zeros(len(sizes), np.intp)
    of_part[parts.ravel()] = labels.ravel()
    largest = np.zeros(of_part.max() + 1, np.intp)
    np.maximum.at(largest, of_part, sizes)
    least = labels.size / len(np.unique(labels)) / 4
    kept = (sizes == largest[of_part]) & (sizes >= least)
    kept[sizes.argmax()] = True
    nearest = ndimage.distance_transform_edt(~kept[parts], return_distances=False, return_indices=True)
    joined = _components(parts[tuple(nearest)])
    return np.unique(joined, return_inverse=True)[1].reshape(labels.shape)


def _components(labels: Labels) -> Labels:
    """Return a number for each connected part (over edges) of equal labels, (H, W), from 0."""
    height, width = labels.shape
    numbers = np.arange(labels.size).reshape(labels.shape)
    right, down = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    first = np.concatenate([numbers[:, :-1][right], numbers[:-1][down]])
    second = np.concatenate([numbers[:, 1:][right], numbers[1:][down]])
    graph = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(labels.size, labels.size))
    found: Labels = connected_components(graph, directed=False)[1].reshape(height, width)
    return found
