"""Regions of an image at several scales, joined to one map by the density of an attribution (XRAI)."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from torch import Tensor

from .superpixels import segments_of

COARSEST = 15  # superpixels of the first scale; each further one has twice as many
SIDE = 224  # of the images for which the paper chose the numbers below
WIDENED = 5  # pixels by which a region is widened, for an image of that side
LEAST = 50  # pixels that a region has to add

Float = NDArray[np.float64]
Places = NDArray[np.intp]


def regions_of(image: Tensor, scales: int) -> list[Places]:
    """Return the superpixels of a normalized image (C, H, W) at several scales, widened, as flat indices of pixels."""
    radius = max(1, round(WIDENED * min(image.shape[1:]) / SIDE))
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = rows**2 + columns**2 <= radius**2
    found = []
    for scale in range(scales):
        labels = segments_of(image, COARSEST * 2**scale).cpu().numpy()
        for number, (down, right) in enumerate(ndimage.find_objects(labels + 1)):
            box = tuple(slice(max(0, side.start - radius), side.stop + radius) for side in (down, right))
            mask = np.zeros(labels.shape, np.bool_)
            mask[box] = ndimage.binary_dilation(labels[box] == number, disk)
            found.append(np.flatnonzero(mask))
    return found


def densest_first(attribution: Float, regions: list[Places], least: int) -> Float:
    """Return a map (H, W): of each pixel the mean attribution of the pixels with which it was added.

    Again and again the region is added whose pixels that are not yet covered have the highest mean attribution. Regions
    that add fewer than `least` pixels are left out; the pixels that remain get their mean.
    """
    values = attribution.ravel()
    starts = np.cumsum([0, *map(len, regions)])
    masks = csr_array((np.ones(starts[-1]), np.concatenate(regions), starts), (len(regions), values.size)).tocsc()
    sizes, sums = masks.sum(axis=1), masks @ values
    free, waiting = np.ones(values.size, np.bool_), np.ones(len(regions), np.bool_)
    result = np.zeros(values.size)
    while (waiting := waiting & (sizes > least - 0.5)).any():
        best = int(np.where(waiting, sums / np.maximum(sizes, 1), -np.inf).argmax())
        added = regions[best][free[regions[best]]]
        result[added] = values[added].mean()
        free[added], waiting[best] = False, False
        columns = masks[:, added]
        sizes, sums = sizes - columns.sum(axis=1), sums - columns @ values[added]
    if free.any():
        result[free] = values[free].mean()
    return result.reshape(attribution.shape)


def least_pixels(size: tuple[int, int]) -> int:
    """Return how many pixels a region has to add to a map of this size."""
    return max(1, round(LEAST * size[0] * size[1] / SIDE**2))
