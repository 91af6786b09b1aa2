"""Conversion between RGB images and the input channels of a network: gray, another order of colors, empty channels."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PreprocessingError, unknown
from ..messages import Message, listed

Channel = Literal["red", "green", "blue", "gray", "black"]

RGB_CHANNELS: tuple[Channel, ...] = ("red", "green", "blue")
GRAY_WEIGHTS = (19595, 38470, 7471)  # in 1/65536: the weights of red, green and blue in gray, as Pillow rounds them


def default_channels(count: int) -> tuple[Channel, ...]:
    """Return what `count` input channels receive by default: gray for one, red, green and blue for three.

    Raises CamvizError for any other number.
    """
    if count not in (1, 3):
        raise PreprocessingError(
            "this network has {count} input channels, but an image has red, green and blue: name the color of each, as "
            "in input_channels=('red', 'green', 'blue', 'black'); a color is red, green, blue, gray or black (zeros)",
            count=count,
        )
    return ("gray",) if count == 1 else RGB_CHANNELS


def check_channels(given: Sequence[str]) -> tuple[Channel, ...]:
    """Return `given` as a tuple of channels. Raises CamvizError for an unknown channel."""
    if not isinstance(given, list | tuple) or not given:
        raise PreprocessingError(
            "input_channels must be a list of colors, one for each channel; got {value}", value=repr(given)[:60]
        )
    for channel in given:
        if not isinstance(channel, str) or channel not in get_args(Channel):
            raise unknown(Message("input channel"), str(channel), get_args(Channel), ", ".join(get_args(Channel)))
    return tuple(given)


def to_channels(view: NDArray[np.uint8], channels: Sequence[Channel]) -> Tensor:
    """Return the input channels (C, H, W), 0 to 1, of an RGB image (H, W, 3)."""
    colors = torch.from_numpy(view).permute(2, 0, 1)
    if tuple(channels) == RGB_CHANNELS:
        return colors.float() / 255
    planes: dict[Channel, Tensor] = dict(zip(RGB_CHANNELS, colors, strict=True))
    if "gray" in channels:
        gray = torch.tensordot(torch.tensor(GRAY_WEIGHTS, device="cpu"), colors.long(), dims=1)
        planes["gray"] = (gray + 0x8000) >> 16
    planes["black"] = torch.zeros_like(colors[0])
    return torch.stack([planes[channel].float() for channel in channels]) / 255


def to_image(pixels: Tensor, channels: Sequence[Channel]) -> NDArray[np.uint8]:
    """Return the RGB image (H, W, 3) of input channels (C, H, W), 0 to 1; colors without a channel are black."""
    # If several channels have the same color, the first one counts.
    planes: dict[Channel, Tensor] = dict(zip(reversed(channels), reversed(list(pixels)), strict=True))
    black = torch.zeros_like(pixels[0])
    default = planes.get("gray", black) if is_gray(channels) else black
    colors = torch.stack([planes.get(color, default) for color in RGB_CHANNELS], dim=-1)
    return np.asarray((colors * 255).round().clamp(0, 255).to(torch.uint8).numpy())


def in_colors(attribution: Tensor, channels: Sequence[Channel]) -> Tensor:
    """Return an attribution of the input channels (..., C, H, W) as one of red, green and blue (..., 3, H, W).

    A gray channel's attribution is divided equally among the three; a black channel's is left out.
    """
    if tuple(channels) == RGB_CHANNELS:
        return attribution
    weights = [[float(channel == color) + (channel == "gray") / 3 for channel in channels] for color in RGB_CHANNELS]
    return torch.einsum("kc,...chw->...khw", attribution.new_tensor(weights), attribution)


def is_gray(channels: Sequence[Channel]) -> bool:
    """Return whether no channel receives a color."""
    return not set(channels) & set(RGB_CHANNELS)


def from_rgb_values(values: Sequence[float], channels: Sequence[Channel], black: float) -> tuple[float, ...]:
    """Return one number for each channel from those for red, green and blue: gray has their mean, black `black`."""
    known = {**dict(zip(RGB_CHANNELS, values, strict=True)), "gray": sum(values) / 3, "black": black}
    return tuple(known[channel] for channel in channels)


def check_per_channel(values: Sequence[float], channels: Sequence[Channel], what: str) -> tuple[float, ...]:
    """Return `values` as floats. Raises CamvizError unless there is one finite number for each channel."""
    given = repr(values)[:60]
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise PreprocessingError("{what} must be numbers; got {values}", what=what, values=given)
    if len(values) != len(channels):
        several = Message("{count} numbers", count=len(channels))
        count = {1: Message("one number"), 3: Message("three numbers")}.get(len(channels), several)
        raise PreprocessingError(
            "{what} must be {expected}, for {names}; got {count}",
            what=what,
            expected=count,
            names=listed(channels),
            count=len(values),
        )
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)) or any(isinstance(value, str | bool) for value in values):
        raise PreprocessingError("{what} must be numbers; got {values}", what=what, values=given)
    return numbers
