"""Attributions as one value for each pixel, and the ranking of the pixels."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CamvizError, MetricError, NotFiniteError
from ..runtime.rng import Rng


def pixel_values(attribution: Tensor, size: tuple[int, int]) -> Tensor:
    """Return one value for each pixel, (H, W): a map (h, w) upsampled bilinearly, or the sum over channels of |g|.

    A map keeps its sign; g is a pixel attribution (3, H, W). A constant attribution gives zeros.
    """
    flat = signed_map(attribution.abs(), size) if attribution.ndim == 3 else signed_map(attribution, size)
    # Upsampling a constant gives differences in the last bit, which must not be ranked.
    return torch.zeros_like(flat) if attribution.amin() == attribution.amax() else flat


def signed_map(attribution: Tensor, size: tuple[int, int]) -> Tensor:
    """Return an attribution as a signed map (H, W): channels summed, upsampled bilinearly."""
    if not (attribution.ndim == 2 or (attribution.ndim == 3 and len(attribution) == 3)) or not attribution.numel():
        raise CamvizError("an attribution has shape (3, H, W) or (h, w); got {shape}", shape=tuple(attribution.shape))
    if not attribution.isfinite().all():
        raise NotFiniteError("a map contains values that are not finite, so it cannot be measured")
    flat = attribution.sum(dim=0) if attribution.ndim == 3 else attribution
    if flat.shape == size:
        return flat
    return interpolate(flat[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]


def normalize_map(heatmap: Tensor) -> Tensor:
    """Return the positive part of a map (H, W), min-max normalized to 0..1 as for display; zeros if it is constant."""
    positive = heatmap.clamp(min=0)
    low, high = positive.amin(), positive.amax()
    return (positive - low) / (high - low) if high - low > 1e-6 * high else torch.zeros_like(heatmap)


def pixel_ranks(heatmap: Tensor) -> Tensor:
    """Return the rank of each pixel by descending value, (H * W,); 0 is the largest.

    Ties are in a fixed random order, because the order of rows would be a pattern.
    """
    shuffled = Rng(0).permutation(heatmap.numel()).to(heatmap.device)
    order = shuffled[heatmap.flatten()[shuffled].argsort(descending=True, stable=True)]
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=heatmap.device)
    return places


def check_shapes(x: Tensor, heatmap: Tensor) -> None:
    """Raise CamvizError unless x is one image (1, C, H, W) and the heatmap has its size."""
    if x.ndim != 4 or len(x) != 1:
        raise MetricError("a metric needs one image, of shape (1, 3, H, W); got {shape}", shape=tuple(x.shape))
    if heatmap.shape != x.shape[-2:]:
        raise MetricError(
            "the heatmap must have the size of the image, {size}; got {shape}",
            size=tuple(x.shape[-2:]),
            shape=tuple(heatmap.shape),
        )
