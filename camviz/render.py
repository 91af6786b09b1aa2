"""Attribution -> picture: min-max, percentile, color maps, overlay; pure functions, and no input is changed."""

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from plotly import colors
from torch.nn import functional as F

from .errors import CamvizError, unknown
from .messages import Message

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float32]
RGB = NDArray[np.uint8]
Size = tuple[int, int]
Kind = Literal["pixel", "map"]


@dataclass(frozen=True)
class ColorMap:
    """A color map: what it is good for, and its stops (plotly's name, or colors in equal steps)."""

    description: str
    scale: str | tuple[str, ...]


COLOR_MAPS: dict[str, ColorMap] = {
    "cividis": ColorMap("Dark blue to yellow; reads the same with and without red-green deficiency", "cividis"),
    "viridis": ColorMap("Dark violet over green to yellow; even steps", "viridis"),
    "inferno": ColorMap("Black over red to pale yellow; strong contrast", "inferno"),
    "gray": ColorMap("Black to white; prints well", ("rgb(0,0,0)", "rgb(255,255,255)")),
    "blue-red": ColorMap("Blue over white to red; for signed results, with white at zero", "rdbu_r"),
    "jet": ColorMap("Rainbow, as in older papers; its bands suggest edges that are not there", "jet"),
}

VIEWS: dict[Kind, dict[str, str]] = {
    "pixel": {
        "Color": "The signed gradient itself, for red, green and blue apart; mid-gray is about zero.",
        "Grayscale": "How strongly each pixel counts, whatever the direction: bright is strong.",
        "Positive": "Where more red, green or blue would raise the score.",
        "Negative": "Where more red, green or blue would lower the score.",
        "Overlay": "The strength of each pixel, laid over the picture.",
    },
    "map": {
        "Overlay": "The map laid over the picture.",
        "Heatmap": "The map alone.",
        "Masked picture": "The picture, visible only where the map is strong.",
    },
}


def kind(attribution: Array) -> Kind:
    """Whether an attribution is one value a channel and pixel, (3, H, W), or a map, (h, w)."""
    if attribution.ndim == 3 and attribution.shape[0] == 3:
        return "pixel"
    if attribution.ndim == 2:
        return "map"
    raise CamvizError("an attribution has shape (3, H, W) or (h, w); got {shape}", shape=attribution.shape)


def upsample(map_hw: Array, size: Size) -> Float:
    """A map (h, w) at another size (H, W), bilinearly, with the picture's corners as the outer edge."""
    values = np.array(map_hw, dtype=np.float32, order="C")
    if values.ndim != 2 or not values.size:
        raise CamvizError("a map has shape (h, w); got {shape}", shape=values.shape)
    resized = F.interpolate(torch.from_numpy(values)[None, None], size, mode="bilinear", align_corners=False)
    return np.asarray(resized[0, 0].numpy(), np.float32)


def minmax(values: Array, low: float | None = None, high: float | None = None) -> Float:
    """`values` stretched so that low is 0 and high is 1, cut off outside; all zero where low and high are the same.

    low and high are the smallest and the largest value where they are not given.
    """
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise CamvizError("the attribution holds values that are not finite numbers, so it cannot be shown")
    low = float(wide.min()) if low is None else low
    high = float(wide.max()) if high is None else high
    # Upsampling a constant leaves differences in the last bit, which would otherwise fill the whole range.
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        return np.zeros(values.shape, np.float32)
    return ((wide - low) / (high - low)).clip(0, 1).astype(np.float32)


def color(attribution: Array) -> RGB:
    """The signed gradient (3, H, W) as a picture: min-max over all channels jointly."""
    return _uint8(minmax(_pixels(attribution)))


def grayscale(attribution: Array, percentile: float = 99.0) -> Float:
    """The sum over channels of |g|, (H, W), min-max with the top cut off at that percentile (100: not at all)."""
    strength = np.abs(_pixels(attribution)).sum(axis=2)
    return minmax(strength, None, _top(strength, percentile))


def positive(attribution: Array) -> Float:
    """Positive saliency max(0, g) / max(g), (H, W, 3); all zero where nothing is positive."""
    return minmax(_pixels(attribution).clip(min=0), low=0)


def negative(attribution: Array) -> Float:
    """Negative saliency max(0, -g) / max(-g), (H, W, 3); all zero where nothing is negative."""
    return minmax((-_pixels(attribution)).clip(min=0), low=0)


def heatmap(attribution: Array, size: Size, percentile: float = 99.0, high: float | None = None) -> Float:
    """What an attribution marks, (H, W) in [0, 1].

    Of a pixel attribution the grayscale; a map is upsampled, then loses its negative part, then min-max.
    All zero where nothing is positive, and where the map is flat. With `high` the scale is 0 to
    high, so that several heatmaps can share one; take the maximum of their `peak`.
    """
    strength = _strength(attribution, size)
    if high is not None:
        return minmax(strength, 0, high)
    return minmax(strength, None, _top(strength, percentile) if kind(attribution) == "pixel" else None)


def peak(attribution: Array, size: Size, percentile: float = 99.0) -> float:
    """The value at which a heatmap reaches 1 on a scale from 0; 0 where nothing is positive."""
    strength = _strength(attribution, size)
    return _top(strength, percentile if kind(attribution) == "pixel" else 100)


def signed(attribution: Array, size: Size, high: float | None = None, percentile: float = 99.0) -> Float:
    """What speaks for and against, (H, W) in [-1, 1] with 0 kept at 0: the sum over channels, or the map upsampled.

    1 is `high` where given, otherwise the largest magnitude (for pixels: the percentile of the magnitudes).
    """
    if kind(attribution) == "pixel":
        values = _fit(_pixels(attribution).sum(axis=2), size)
    else:
        values = upsample(attribution, size).astype(np.float64)
        percentile = 100
    magnitude = np.abs(values)
    return minmax(magnitude, 0, _top(magnitude, percentile) if high is None else high) * np.sign(
        values, dtype=np.float32
    )


def colorise(heatmap: Array, color_map: str = "cividis") -> RGB:
    """A heatmap (H, W) in [0, 1] in the colors of COLOR_MAPS, (H, W, 3)."""
    return color_table(color_map)[_uint8(heatmap)]


def diverging(signed: Array, color_map: str = "blue-red") -> RGB:
    """A signed map (H, W) in [-1, 1] in colors, (H, W, 3); 0 is the middle of the color map."""
    return colorise((signed + 1) / 2, color_map)


def overlay(view: RGB, heatmap: Array, opacity: float = 0.5, color_map: str = "cividis") -> RGB:
    """The colored heatmap over the picture; opacity 0 shows the picture alone, 1 the heatmap alone.

    The same pixels as the browser's, where `colorise`'s picture lies over the view with that opacity.
    """
    if not 0 <= opacity <= 1:
        raise CamvizError("opacity must lie in 0 to 1; got {opacity:g}", opacity=opacity)
    _same_size(view, heatmap)
    mixed = (1 - opacity) * view + opacity * colorise(heatmap, color_map)
    return np.rint(mixed).astype(np.uint8)


def masked(view: RGB, heatmap: Array) -> RGB:
    """The picture times the heatmap: black where the heatmap is 0, unchanged where it is 1."""
    _same_size(view, heatmap)
    return np.rint(view * heatmap[:, :, None]).astype(np.uint8)


def views(
    attribution: Array,
    view: RGB,
    opacity: float = 0.5,
    color_map: str = "cividis",
    percentile: float = 99.0,
    high: float | None = None,
) -> dict[str, RGB]:
    """Every view of VIEWS that this attribution has, by name and in order, each (H, W, 3)."""
    heat = heatmap(attribution, (view.shape[0], view.shape[1]), percentile, high)
    over = overlay(view, heat, opacity, color_map)
    if kind(attribution) == "map":
        return {"Overlay": over, "Heatmap": colorise(heat, color_map), "Masked picture": masked(view, heat)}
    return {
        "Color": color(attribution),
        "Grayscale": colorise(heat, "gray"),
        "Positive": _uint8(positive(attribution)),
        "Negative": _uint8(negative(attribution)),
        "Overlay": over,
    }


@functools.cache
def color_table(color_map: str) -> RGB:
    """The 256 colors of a color map, (256, 3), from the lowest value to the highest; read-only, as it is shared."""
    if color_map not in COLOR_MAPS:
        raise unknown(Message("color map"), color_map, COLOR_MAPS, Message("the list of color maps"))
    scale = COLOR_MAPS[color_map].scale
    stops = colors.get_colorscale(scale) if isinstance(scale, str) else colors.make_colorscale(scale)
    positions = [position for position, _ in stops]
    triples = colors.convert_colors_to_same_type([stop for _, stop in stops], colortype="tuple")[0]
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, positions, channel) for channel in np.array(triples).T]
    table: RGB = _uint8(np.stack(channels, axis=1))
    table.flags.writeable = False
    return table


def _uint8(unit: Array) -> RGB:
    rounded: RGB = np.rint(unit.clip(0, 1) * 255).astype(np.uint8)
    return rounded


def _pixels(attribution: Array) -> NDArray[np.float64]:
    if kind(attribution) != "pixel":
        raise CamvizError("this view needs an attribution of shape (3, H, W); got {shape}", shape=attribution.shape)
    return attribution.astype(np.float64).transpose(1, 2, 0)


def _fit(values: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    return values if values.shape == size else upsample(values, size).astype(np.float64)


def _strength(attribution: Array, size: Size) -> NDArray[np.float64]:
    if kind(attribution) == "pixel":
        return _fit(np.abs(_pixels(attribution)).sum(axis=2), size)
    return upsample(attribution, size).clip(min=0).astype(np.float64)


def _top(strength: NDArray[np.float64], percentile: float) -> float:
    """The percentile, or the maximum where fewer pixels than that are marked at all (one activation projected back)."""
    if not 0 < percentile <= 100:
        raise CamvizError("percentile must lie above 0 and at most 100; got {percentile:g}", percentile=percentile)
    top = float(np.percentile(strength, percentile))
    return top if top > strength.min() else float(strength.max())


def _same_size(view: RGB, heatmap: Array) -> None:
    if view.shape[:2] != heatmap.shape:
        raise CamvizError(
            "the picture is {size} and the heatmap {shape}; they must be the same size",
            size=view.shape[:2],
            shape=heatmap.shape,
        )
