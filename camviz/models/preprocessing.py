"""Measure what a custom preprocessing function does to an image, from its output for test images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import PreprocessingError
from ..messages import Message
from .channels import Channel

Preprocess = Callable[[Image.Image], Any]

SIDE = 384
TOLERANCE = 0.02  # of the whole range, from black to white
TRIES = 6  # of the same image: a random flip would be noticed with 97 %

SHARES: dict[Channel, tuple[float, float, float]] = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "gray": (0.299, 0.587, 0.114),
}
MORE = Message(
    "preprocess must do no more than resize, crop and normalize each channel; put the rest into the network: {fault}"
)


@dataclass(frozen=True)
class InferredPreprocessing:
    """The input's size (height, width), and for each channel its band, mean and deviation."""

    size: tuple[int, int]
    channels: tuple[Channel, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def run(preprocess: Preprocess, image: Image.Image) -> Tensor:
    """What `preprocess` makes of an image, (C, H, W). Raises CamvizError."""
    try:
        result = preprocess(image)
        result = result if isinstance(result, Tensor) else torch.from_numpy(np.array(result))
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError, ArithmeticError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise PreprocessingError(
            "preprocess fails on an image (PIL, RGB) of {size}: {reason}", size=image.size, reason=reason
        ) from error
    result = result[0] if result.ndim == 4 and len(result) == 1 else result
    if result.ndim != 3 or not result.is_floating_point():
        raise PreprocessingError(
            "preprocess must turn an image (PIL, RGB) into a tensor of floating point numbers "
            "(channels, height, width); got shape {shape}, {dtype}",
            shape=tuple(result.shape),
            dtype=str(result.dtype),
        )
    return result.detach().cpu().float()


def infer_preprocessing(preprocess: Preprocess) -> InferredPreprocessing:
    """The size, colors, means and deviations of `preprocess`. Raises CamvizError where it does more than that."""
    one_color = {
        color: _middle(run(preprocess, Image.new("RGB", (SIDE, SIDE), color)))
        for color in ((0, 0, 0), (255, 255, 255), (102, 102, 102), (255, 0, 0), (0, 255, 0), (0, 0, 255))
    }
    black, white, dim, *colors = one_color.values()
    whole = white - black
    if not torch.isfinite(torch.stack(list(one_color.values()))).all() or not whole.any():
        raise PreprocessingError(MORE, fault=Message("of an image of one color it keeps nothing"))
    if not _near(dim, black + 0.4 * whole, whole):
        raise PreprocessingError(
            MORE, fault=Message("a gray of 40% does not come out 40% of the way from black to white")
        )
    half = np.zeros((SIDE, SIDE, 3), np.uint8)
    half[:, : SIDE // 2], half[:, SIDE // 2 :] = 64, 192
    several = [run(preprocess, Image.fromarray(half)) for _ in range(TRIES)]
    if any(one.shape != several[0].shape or not torch.equal(one, several[0]) for one in several):
        raise PreprocessingError(
            "preprocess gives something else every time: give the one for validation, not for training"
        )
    row = several[0][:, several[0].shape[1] // 2]
    quarter = row.shape[1] // 4
    expected = torch.stack([black + 64 / 255 * whole, black + 192 / 255 * whole])
    if not _near(torch.stack([row[:, quarter], row[:, -1 - quarter]]), expected, whole):
        raise PreprocessingError(
            MORE, fault=Message("the same gray comes out different when there is another beside it")
        )
    shares = torch.stack([color - black for color in colors]) / whole
    channels = tuple(_channel(row, whole[place]) for place, row in enumerate(shares.T))
    std = torch.where(whole == 0, torch.ones_like(whole), 1 / whole)
    return InferredPreprocessing(
        size=(int(several[0].shape[1]), int(several[0].shape[2])),
        channels=channels,
        mean=tuple((-black * std).tolist()),
        std=tuple(std.tolist()),
    )


def _middle(x: Tensor) -> Tensor:
    return x[:, x.shape[1] // 2, x.shape[2] // 2].double()


def _near(values: Tensor, expected: Tensor, whole: Tensor) -> bool:
    return bool(((values - expected).abs() <= TOLERANCE * whole.abs() + 1e-6).all())


def _channel(share: Tensor, whole: Tensor) -> Channel:
    if whole == 0:
        return "black"
    for name, expected in SHARES.items():
        if (share - torch.tensor(expected, device="cpu")).abs().max() <= TOLERANCE:
            return name
    mixture = ", ".join(f"{value:.2f}" for value in share.tolist())
    raise PreprocessingError(MORE, fault=Message("it mixes red, green and blue as {mixture}", mixture=mixture))
