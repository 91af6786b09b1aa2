"""Images without content, which attributions are relative to."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ..runtime.noise import normal_noise

RandomReference = Literal["plain colors", "noise"]

BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean color": torch.zeros_like,
    "darkest": lambda x: x.amin(dim=(2, 3), keepdim=True).expand_as(x),
    "brightest": lambda x: x.amax(dim=(2, 3), keepdim=True).expand_as(x),
}


def random_references(seed: int, kind: RandomReference, draws: Sequence[int], image: Tensor) -> Tensor:
    """Return the random images with the numbers `draws` of a seed, (len(draws), C, H, W), for an image (C, H, W).

    They are normalized as the training images are. Every value is drawn from a normal distribution of mean 0 and
    deviation 1: for each color of a plain image, or for each pixel of noise.
    """
    assert kind in get_args(RandomReference)
    shape = (image.shape[0], 1, 1) if kind == "plain colors" else image.shape
    return normal_noise(seed, draws, shape, image).expand(len(draws), *image.shape)
