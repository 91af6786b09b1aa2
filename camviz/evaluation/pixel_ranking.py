"""What an attribution marks, as one number a pixel, and the order in which it ranks the pixels."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CamvizError
from ..runtime.rng import Rng


def pixel_values(attribution: Tensor, size: tuple[int, int]) -> Tensor:
    """What an attribution marks, (H, W): a map (h, w) upsampled bilinearly, still signed; of a pixel
    attribution (3, H, W) the sum over channels of |g|. All zero where it is constant.
    """
    flat = plane(attribution.abs(), size) if attribution.ndim == 3 else plane(attribution, size)
    # Upsampling a constant leaves differences in the last bit, which would be ranked like any others.
    return torch.zeros_like(flat) if attribution.amin() == attribution.amax() else flat


def plane(attribution: Tensor, size: tuple[int, int]) -> Tensor:
    """An attribution as a signed map (H, W): channels summed up, upsampled bilinearly."""
    if not (attribution.ndim == 2 or (attribution.ndim == 3 and len(attribution) == 3)) or not attribution.numel():
        raise CamvizError("an attribution has shape (3, H, W) or (h, w); got {shape}", shape=tuple(attribution.shape))
    if not attribution.isfinite().all():
        raise CamvizError("a map holds values that are not finite numbers, so it cannot be measured")
    flat = attribution.sum(dim=0) if attribution.ndim == 3 else attribution
    if flat.shape == size:
        return flat
    return interpolate(flat[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]


def unit(heat: Tensor) -> Tensor:
    """The positive part of a heat (H, W), stretched to 0..1 as the pages show it; zero where there is none."""
    positive = heat.clamp(min=0)
    low, high = positive.amin(), positive.amax()
    return (positive - low) / (high - low) if high - low > 1e-6 * high else torch.zeros_like(heat)


def ranks(heat: Tensor) -> Tensor:
    """The place of each pixel in the order from hottest to coldest, (H * W,).

    Equal pixels come in a fixed random order: row by row would be a pattern.
    """
    shuffled = Rng(0).permutation(heat.numel()).to(heat.device)
    order = shuffled[heat.flatten()[shuffled].argsort(descending=True, stable=True)]
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=heat.device)
    return places


def check(x: Tensor, heat: Tensor) -> None:
    """Raises CamvizError where the picture is not one picture, or the heat not of its size."""
    if x.ndim != 4 or len(x) != 1:
        raise CamvizError("a metric takes one picture, of shape (1, 3, H, W); got {shape}", shape=tuple(x.shape))
    if heat.shape != x.shape[-2:]:
        raise CamvizError(
            "the heat must have the picture's size {size}; got {shape}",
            size=tuple(x.shape[-2:]),
            shape=tuple(heat.shape),
        )
