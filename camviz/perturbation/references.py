"""Baselines and random reference images: images without content, with which attributions compare."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from ..runtime.noise import normal_noise
from ..tape import add_note, needs_batches_of_one

RandomReference = Literal["plain colors", "noise"]

BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean color": torch.zeros_like,
    "darkest": lambda x: x.amin(dim=(2, 3), keepdim=True).expand_as(x),
    "brightest": lambda x: x.amax(dim=(2, 3), keepdim=True).expand_as(x),
}


def start_of_path(net: nn.Module, x: Tensor, baseline: str) -> Tensor:
    """Return the baseline; add a note if the gradient at the baseline itself depends on rounding.

    A network that normalizes each image by its own statistics divides by the deviation of its feature maps. For an
    image of the mean color, which is 0 like the padding, this deviation is 0.
    """
    instance_norm = any(isinstance(one, _InstanceNorm) and not one.track_running_stats for one in net.modules())
    if baseline == "mean color" and (instance_norm or needs_batches_of_one(net)):
        add_note(
            "This model normalizes each image by its own statistics. The baseline of one color has no variance, so the "
            "gradient at it depends on rounding: compare with the baselines darkest and brightest."
        )
    return BASELINES[baseline](x)


def random_references(seed: int, kind: RandomReference, draws: Sequence[int], image: Tensor) -> Tensor:
    """Return the random images with the numbers `draws` of a seed, (len(draws), C, H, W), for an image (C, H, W).

    They are normalized as the training images are. Every value is drawn from a normal distribution of mean 0 and
    deviation 1: for each color of a plain image, or for each pixel of noise.
    """
    assert kind in get_args(RandomReference)
    shape = (image.shape[0], 1, 1) if kind == "plain colors" else image.shape
    return normal_noise(seed, draws, shape, image).expand(len(draws), *image.shape)
