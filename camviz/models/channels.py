"""Which colors of a picture the channels of a network see, and what is shown of it."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import CamvizError, unknown
from ..messages import Message, listed

Channel = Literal["red", "green", "blue", "gray", "black"]

RGB_CHANNELS: tuple[Channel, ...] = ("red", "green", "blue")
SHARES = (19595, 38470, 7471)  # of 65536: what each color gives to brightness, as Pillow rounds it


def default_channels(channels: int) -> tuple[Channel, ...]:
    """What as many channels see where nobody says it: gray, or red, green and blue. Raises CamvizError for others."""
    if channels not in (1, 3):
        raise CamvizError(
            "this network takes {channels} channels, and a picture has red, green and blue: say "
            "what each sees, bands=('red', 'green', 'blue', 'black'), out of red, green, blue, "
            "gray, and black for nothing",
            channels=channels,
        )
    return ("gray",) if channels == 1 else RGB_CHANNELS


def check_channels(given: Sequence[str]) -> tuple[Channel, ...]:
    """`given` as bands. Raises CamvizError."""
    if isinstance(given, str) or not given:
        raise CamvizError("bands are a list of colors, one for each channel; got {given}", given=repr(given))
    for band in given:
        if band not in get_args(Channel):
            raise unknown(Message("band"), str(band), get_args(Channel), ", ".join(get_args(Channel)))
    return tuple(given)  # type: ignore[arg-type]


def seen(view: NDArray[np.uint8], bands: Sequence[Channel]) -> Tensor:
    """What each channel sees of a picture (H, W, 3): (C, H, W), 0 to 1."""
    colors = torch.from_numpy(view).permute(2, 0, 1)
    if tuple(bands) == RGB_CHANNELS:
        return colors.float() / 255
    planes: dict[Channel, Tensor] = dict(zip(RGB_CHANNELS, colors, strict=True))
    if "gray" in bands:
        brightness = torch.tensordot(torch.tensor(SHARES, device="cpu"), colors.long(), dims=1)
        planes["gray"] = (brightness + 0x8000) >> 16
    planes["black"] = torch.zeros_like(colors[0])
    return torch.stack([planes[band].float() for band in bands]) / 255


def shown(pixels: Tensor, bands: Sequence[Channel]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) of which the channels see `pixels` (C, H, W), 0 to 1; colors that none sees are black."""
    # Of one band, the first channel counts.
    planes: dict[Channel, Tensor] = dict(zip(reversed(bands), reversed(list(pixels)), strict=True))
    black = torch.zeros_like(pixels[0])
    nothing = planes.get("gray", black) if to_gray(bands) else black
    chosen = torch.stack([planes.get(band, nothing) for band in RGB_CHANNELS], dim=-1)
    return np.asarray((chosen * 255).round().clamp(0, 255).to(torch.uint8).numpy())


def in_colors(attribution: Tensor, bands: Sequence[Channel]) -> Tensor:
    """What channels are worth (..., C, H, W), told of the picture's red, green and blue (..., 3, H, W).

    What a gray channel is worth is shared among them; what a black one is worth is of no picture, and left out.
    """
    if tuple(bands) == RGB_CHANNELS:
        return attribution
    shares = [[float(band == color) + (band == "gray") / 3 for band in bands] for color in RGB_CHANNELS]
    return torch.einsum("kc,...chw->...khw", attribution.new_tensor(shares), attribution)


def to_gray(bands: Sequence[Channel]) -> bool:
    """Whether no channel sees a color."""
    return not set(bands) & set(RGB_CHANNELS)


def spread(values: Sequence[float], bands: Sequence[Channel], black: float) -> tuple[float, ...]:
    """One number for each of red, green and blue, as one for each channel: gray gets their mean, black `black`."""
    known = {**dict(zip(RGB_CHANNELS, values, strict=True)), "gray": sum(values) / 3, "black": black}
    return tuple(known[band] for band in bands)


def per_channel(values: Sequence[float], bands: Sequence[Channel], what: str) -> tuple[float, ...]:
    """One number for each channel. Raises CamvizError."""
    if len(values) != len(bands):
        several = Message("{count} numbers", count=len(bands))
        count = {1: Message("one number"), 3: Message("three numbers")}.get(len(bands), several)
        names = listed(bands)
        raise CamvizError(
            "{what} must be {expected}, for {names}; got {count}",
            what=what,
            expected=count,
            names=names,
            count=len(values),
        )
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise CamvizError("{what} must be numbers; got {values}", what=what, values=repr(list(values)))
    return tuple(float(value) for value in values)
