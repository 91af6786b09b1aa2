"""Attributions as images: normalization, color maps and overlays. Pure functions that leave their inputs unchanged."""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from plotly import colors
from torch.nn import functional as F

from .errors import CamvizError, NotFiniteError, unknown
from .messages import Message

Array = NDArray[np.floating[Any]]
Float = NDArray[np.float32]
RGB = NDArray[np.uint8]
Size = tuple[int, int]
Kind = Literal["pixel", "map"]


@dataclass(frozen=True)
class ColorMap:
    """A color map: its description for people, and its stops (a name of plotly's, or colors in equal steps)."""

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

GAMMA = 1.3  # exponent of the opacity of an overlay: opacity * value ** GAMMA
FIRST_COLOR = 0.35  # place in the color map of the first color that an overlay shows
SMOOTHING = 0.03  # share of the longer side over which a rough heatmap is averaged before its contour is drawn
ROUGH = 0.25  # change from pixel to pixel, as a share of the values, above which a heatmap counts as rough

VIEWS: dict[Kind, dict[str, str]] = {
    "pixel": {
        Message("Color"): Message("The signed gradient itself, for red, green and blue apart; mid-gray is about zero."),
        Message("Grayscale"): Message("How strongly each pixel counts, whatever the direction: bright is strong."),
        Message("Positive"): Message("Where more red, green or blue would raise the score."),
        Message("Negative"): Message("Where more red, green or blue would lower the score."),
        Message("Overlay"): Message("The strength of each pixel, laid over the image."),
    },
    "map": {
        Message("Overlay"): Message("The heatmap over the image."),
        Message("Heatmap"): Message("The heatmap alone."),
        Message("Masked image"): Message("The image, visible only where the heatmap is strong."),
    },
}


def kind(attribution: Array) -> Kind:
    """Return "pixel" for an attribution of shape (3, H, W), "map" for (h, w). Raises CamvizError otherwise."""
    if attribution.ndim == 3 and attribution.shape[0] == 3:
        return "pixel"
    if attribution.ndim == 2:
        return "map"
    raise CamvizError("an attribution has shape (3, H, W) or (h, w); got {shape}", shape=attribution.shape)


def upsample(map_hw: Array, size: Size) -> Float:
    """Return a map (h, w) resized bilinearly to (H, W), without aligned corners."""
    values = np.array(map_hw, dtype=np.float32, order="C")
    if values.ndim != 2 or not values.size:
        raise CamvizError("a map has shape (h, w); got {shape}", shape=values.shape)
    resized = F.interpolate(torch.from_numpy(values)[None, None], size, mode="bilinear", align_corners=False)
    return np.asarray(resized[0, 0].numpy(), np.float32)


def minmax(values: Array, low: float | None = None, high: float | None = None) -> Float:
    """Return (values - low) / (high - low), clipped to [0, 1]; zeros if low and high are equal.

    `low` and `high` default to the smallest and the largest value. Raises CamvizError if a value is not finite.
    """
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise NotFiniteError("the attribution contains values that are not finite, so it cannot be shown")
    low = float(wide.min()) if low is None else low
    high = float(wide.max()) if high is None else high
    # Upsampling a constant gives differences in the last bit, which must not be scaled to the whole range.
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        return np.zeros(values.shape, np.float32)
    return ((wide - low) / (high - low)).clip(0, 1).astype(np.float32)


def color(attribution: Array) -> RGB:
    """Return a signed pixel attribution (3, H, W) as an RGB image, min-max normalized over all channels together."""
    return _uint8(minmax(_pixels(attribution)))


def grayscale(attribution: Array, percentile: float = 99.0) -> Float:
    """Return the sum over channels of |g|, (H, W), min-max normalized up to a percentile (100: the maximum)."""
    strength = np.abs(_pixels(attribution)).sum(axis=2)
    return minmax(strength, None, _top(strength, percentile))


def positive(attribution: Array) -> Float:
    """Return the positive saliency max(0, g) / max(g), (H, W, 3); zeros if no value is positive."""
    return minmax(_pixels(attribution).clip(min=0), low=0)


def negative(attribution: Array) -> Float:
    """Return the negative saliency max(0, -g) / max(-g), (H, W, 3); zeros if no value is negative."""
    return minmax((-_pixels(attribution)).clip(min=0), low=0)


def heatmap(attribution: Array, size: Size, percentile: float = 99.0, high: float | None = None) -> Float:
    """Return the heatmap of an attribution, (H, W) in [0, 1].

    A pixel attribution gives its grayscale; a map is upsampled, clipped at 0 and min-max normalized. A constant map, or
    one without positive values, gives zeros. With `high` the scale is 0 to `high`: several heatmaps share one scale
    if `high` is the maximum of their `peak`.
    """
    strength = _strength(attribution, size)
    if high is not None:
        return minmax(strength, 0, high)
    return minmax(strength, None, _top(strength, percentile) if kind(attribution) == "pixel" else None)


def peak(attribution: Array, size: Size, percentile: float = 99.0) -> float:
    """Return the value at which a heatmap reaches 1 on a scale from 0; 0 if no value is positive."""
    strength = _strength(attribution, size)
    return _top(strength, percentile if kind(attribution) == "pixel" else 100)


def signed(attribution: Array, size: Size, high: float | None = None, percentile: float = 99.0) -> Float:
    """Return a signed heatmap, (H, W) in [-1, 1], 0 at 0: the sum over channels, or the upsampled map.

    1 stands for `high`, by default the largest magnitude (for pixels: the percentile of the magnitudes).
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


def colorize(heatmap: Array, color_map: str = "cividis") -> RGB:
    """Return a heatmap (H, W) in [0, 1] in the colors of one of COLOR_MAPS, (H, W, 3)."""
    return color_table(color_map)[_uint8(heatmap)]


def diverging(signed: Array, color_map: str = "blue-red") -> RGB:
    """Return a signed map (H, W) in [-1, 1] in colors, (H, W, 3); 0 is the middle of the color map."""
    return colorize((signed + 1) / 2, color_map)


def overlay(view: RGB, heatmap: Array, opacity: float = 0.8, color_map: str = "inferno") -> RGB:
    """Return the heatmap over the image: large values are drawn in color, and small values leave the image visible.

    For a value h of the heatmap, alpha = opacity * h^1.3, and the color is that of 0.35 + 0.65 h in the color map. A
    white line with a dark edge encloses half of the heatmap's mass. With opacity 0 the image is unchanged.
    """
    if not 0 <= opacity <= 1:
        raise CamvizError("opacity must lie in 0 to 1; got {opacity:g}", opacity=opacity)
    _same_size(view, heatmap)
    alpha = opacity * heatmap.astype(np.float64).clip(0, 1)[:, :, None] ** GAMMA
    mixed = (1 - alpha) * view + alpha * colorize(FIRST_COLOR + (1 - FIRST_COLOR) * heatmap, color_map)
    if opacity:
        line, edge = contour(heatmap)
        mixed[edge], mixed[line] = (1 - opacity) * mixed[edge], 255
    return np.rint(mixed).astype(np.uint8)


def half_of_the_mass(heatmap: Array) -> float:
    """Return the largest value v such that the places with values >= v hold half of the heatmap's mass.

    It is infinity for a heatmap of zeros.
    """
    falling = np.sort(np.abs(heatmap.astype(np.float64)), axis=None)[::-1]
    mass = falling.cumsum()
    return float(falling[np.searchsorted(mass, mass[-1] / 2)]) if mass[-1] else math.inf


def highlighted(heatmap: Array) -> NDArray[np.bool_]:
    """Return the region (H, W) that holds half of the heatmap's mass; a rough heatmap is smoothed first."""
    values = torch.from_numpy(np.ascontiguousarray(heatmap, np.float32))[None, None]
    reach = round(SMOOTHING * max(heatmap.shape))
    if _is_rough(values):
        values = F.avg_pool2d(values, 2 * reach + 1, 1, reach, count_include_pad=False)
    smooth = values[0, 0].numpy()
    return smooth >= half_of_the_mass(smooth)


def contour(heatmap: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the pixels (H, W) of the line around the highlighted region, and of the dark edge around the line.

    The line is 1 pixel wide for each 400 pixels of the image.
    """
    inside = torch.from_numpy(highlighted(heatmap))[None, None].float()
    wide = max(1, round(max(heatmap.shape) / 400))

    def grown(mask: torch.Tensor, by: int) -> torch.Tensor:
        return F.max_pool2d(mask, 2 * by + 1, 1, by)

    line = inside - (1 - grown(1 - inside, wide))
    edge = grown(line, wide)
    return line[0, 0].numpy() > 0, edge[0, 0].numpy() > 0


def _is_rough(values: torch.Tensor) -> bool:
    """Return whether neighboring pixels of a heatmap (1, 1, H, W) differ as much as those of a pixel attribution."""
    steps = (values[..., 1:] - values[..., :-1]).abs().sum()
    return bool(steps > ROUGH * values.sum())


def masked(view: RGB, heatmap: Array) -> RGB:
    """Return the image multiplied by the heatmap: black at 0, unchanged at 1."""
    _same_size(view, heatmap)
    return np.rint(view * heatmap[:, :, None]).astype(np.uint8)


def views(
    attribution: Array,
    view: RGB,
    opacity: float = 0.8,
    color_map: str = "inferno",
    percentile: float = 99.0,
    high: float | None = None,
) -> dict[str, RGB]:
    """Return the views of VIEWS for this attribution, by name and in that order, each (H, W, 3)."""
    normalized = heatmap(attribution, (view.shape[0], view.shape[1]), percentile, high)
    over = overlay(view, normalized, opacity, color_map)
    if kind(attribution) == "map":
        return {"Overlay": over, "Heatmap": colorize(normalized, color_map), "Masked image": masked(view, normalized)}
    return {
        "Color": color(attribution),
        "Grayscale": colorize(normalized, "gray"),
        "Positive": _uint8(positive(attribution)),
        "Negative": _uint8(negative(attribution)),
        "Overlay": over,
    }


@functools.cache
def color_table(color_map: str) -> RGB:
    """Return the 256 colors of a color map, (256, 3), from lowest to highest; read-only, as it is cached."""
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
    """Return the percentile, or the maximum if the percentile is the minimum, as in maps of a few pixels."""
    if not 0 < percentile <= 100:
        raise CamvizError("percentile must lie above 0 and at most 100; got {percentile:g}", percentile=percentile)
    top = float(np.percentile(strength, percentile))
    return top if top > strength.min() else float(strength.max())


def _same_size(view: RGB, heatmap: Array) -> None:
    if view.shape[:2] != heatmap.shape:
        raise CamvizError(
            "the image has the size {size} and the heatmap {shape}; they must have the same size",
            size=view.shape[:2],
            shape=heatmap.shape,
        )
