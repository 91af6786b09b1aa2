"""Regions of an image at several scales, combined to one map by the density of an attribution (XRAI)."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from skimage.segmentation import felzenszwalb
from skimage.transform import resize
from torch import Tensor

SCALES = (50, 100, 150, 250, 500, 1200)  # of Felzenszwalb's segmentation: the larger, the larger the segments
SMOOTHING = 0.8  # pixels, before the segmentation
SMALLEST = 150  # pixels of a segment
SIDE = 224  # of the image that is segmented
WIDENED = 5  # pixels
LEAST = 50  # pixels that a region has to add

Float = NDArray[np.floating[Any]]
Places = NDArray[np.intp]


def regions_of(image: Tensor, scales: int) -> list[Places]:
    """Return the segments of a normalized image (C, H, W) at the first scales, widened, as flat indices of pixels.

    Felzenszwalb and Huttenlocher (IJCV 2004), with the numbers of the authors of XRAI, on the image resized to 224 x
    224. The last digits of the pixels decide about some segments, so float32 stays float32.
    """
    size = (image.shape[1], image.shape[2])
    rows, columns = np.ogrid[-WIDENED : WIDENED + 1, -WIDENED : WIDENED + 1]
    disk = rows**2 + columns**2 <= WIDENED**2
    colors = image[:3].detach().cpu()
    colors = colors if colors.dtype in (torch.float32, torch.float64) else colors.float()
    pixels = colors.permute(1, 2, 0).contiguous().numpy()
    found = []
    for scale in SCALES[:scales]:
        labels = _labels(pixels.tobytes(), pixels.dtype.str, pixels.shape, scale)
        for number, part in enumerate(ndimage.find_objects(labels + 1)):
            if part is None:  # the segment disappeared when it was resized
                continue
            box = tuple(slice(max(0, side.start - WIDENED), side.stop + WIDENED) for side in part)
            mask = np.zeros(size, np.bool_)
            mask[box] = ndimage.binary_dilation(labels[box] == number, disk)
            found.append(np.flatnonzero(mask))
    return found


@lru_cache(maxsize=4 * len(SCALES))  # for another class or model
def _labels(values: bytes, dtype: str, shape: tuple[int, int, int], scale: int) -> Places:
    """Return the segments of an image (H, W, C) as numbers (H, W)."""
    pixels: Float = np.frombuffer(values, dtype).reshape(shape)
    low, high = pixels.min(), pixels.max()
    pixels = (pixels - low) / max(high - low, np.finfo(dtype).tiny) * 2 - 1
    pixels = resize(pixels, (SIDE, SIDE), order=3, mode="constant", preserve_range=True, anti_aliasing=True)
    labels = felzenszwalb(pixels, scale=scale, sigma=SMOOTHING, min_size=SMALLEST)
    found = resize(labels, shape[:2], order=0, mode="constant", preserve_range=True, anti_aliasing=False)
    return np.asarray(found, np.intp)


def densest_first(attribution: Float, regions: list[Places], least: int = LEAST) -> Float:
    """Return a map (H, W): of each pixel the mean attribution of the pixels with which it was added.

    Regions are added one by one, each time the one whose uncovered pixels have the highest mean attribution. Regions
    that would add fewer than `least` pixels are left out; the remaining pixels get their mean.
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
