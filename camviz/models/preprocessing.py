"""Infer input size, channels, mean and deviation of a custom preprocessing function from its output for test images."""

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
TRIES = 6  # of the same image: a random flip is found with a probability of 97%

SHARES: dict[Channel, tuple[float, float, float]] = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "gray": (0.299, 0.587, 0.114),
}
DOES_MORE = Message(
    "preprocess must only resize, crop and normalize each channel, but {fault}: put the rest into the network"
)


@dataclass(frozen=True)
class InferredPreprocessing:
    """The input's size (height, width), and for each channel its color, mean and deviation."""

    size: tuple[int, int]
    channels: tuple[Channel, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def run(preprocess: Preprocess, image: Image.Image) -> Tensor:
    """Return the result of `preprocess` for an image, (C, H, W). Raises CamvizError."""
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
    """Return the size, colors, means and deviations of `preprocess`. Raises CamvizError if it does anything else."""
    one_color = {
        color: _middle(run(preprocess, Image.new("RGB", (SIDE, SIDE), color)))
        for color in ((0, 0, 0), (255, 255, 255), (102, 102, 102), (255, 0, 0), (0, 255, 0), (0, 0, 255))
    }
    black, white, dim, *colors = one_color.values()
    whole = white - black
    if not torch.isfinite(torch.stack(list(one_color.values()))).all() or not whole.any():
        raise PreprocessingError(DOES_MORE, fault=Message("its result is the same for black and for white"))
    if not _near(dim, black + 0.4 * whole, whole):
        raise PreprocessingError(
            DOES_MORE, fault=Message("its result for a gray of 40% is not 40% of the way from black to white")
        )
    half = np.zeros((SIDE, SIDE, 3), np.uint8)
    half[:, : SIDE // 2], half[:, SIDE // 2 :] = 64, 192
    several = [run(preprocess, Image.fromarray(half)) for _ in range(TRIES)]
    if any(one.shape != several[0].shape or not torch.equal(one, several[0]) for one in several):
        raise PreprocessingError(
            "preprocess gives another result for the same image each time: give the transform for validation, not for "
            "training"
        )
    row = several[0][:, several[0].shape[1] // 2]
    quarter = row.shape[1] // 4
    expected = torch.stack([black + 64 / 255 * whole, black + 192 / 255 * whole])
    if not _near(torch.stack([row[:, quarter], row[:, -1 - quarter]]), expected, whole):
        raise PreprocessingError(
            DOES_MORE, fault=Message("its result for a gray depends on the other colors of the image")
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
    raise PreprocessingError(DOES_MORE, fault=Message("it mixes red, green and blue as {mixture}", mixture=mixture))
