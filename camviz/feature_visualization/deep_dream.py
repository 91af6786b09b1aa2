"""DeepDream (Mordvintsev et al., 2015)."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import Range, synthesis
from ..runtime.rng import Rng
from ..scores import Score
from ..tape import gradient_of
from .features import FeatureFunction
from .optimization import ShowFrame

SMALLEST = 32  # pixels of a side


@synthesis(
    "DeepDream",
    paper="https://research.google/blog/inceptionism-going-deeper-into-neural-networks/",
)
def deep_dream(
    see: FeatureFunction,
    picture: Tensor,
    layer: nn.Module,
    score: Score | None = None,
    *,
    octaves: Annotated[int, Range(1, 6), "At how many sizes, from small to large"] = 4,
    ratio: Annotated[float, Range(1.1, 2, 0.1), "From one size to the next"] = 1.4,
    steps: Annotated[int, Range(1, 100), "Steps at each size"] = 10,
    strength: Annotated[float, Range(0.001, 0.1, 0.001), "Mean change of a pixel at each step, white being 1"] = 0.01,
    jitter: Annotated[int, Range(0, 64), "Move the picture by up to so many pixels at each step"] = 16,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which moves"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """What a layer, or one of its channels, sees in a picture, made stronger until we see it too.

    x := x + strength g / mean|g|,  g = ds/dx,  s = mean A^2, or a channel's mean;  (1, 3, H, W) in [0, 1]

    A: the layer's activation. It begins with a small picture; what was changed there is enlarged and added to the next
    larger one, so that forms of all sizes appear. They come from the network, not from the picture.
    """
    rng = Rng(seed)
    excitement = score or _strength
    height, width = picture.shape[2:]
    detail = torch.zeros_like(picture)
    for octave in range(octaves):
        shrunk = max(ratio ** (octave + 1 - octaves), min(1, SMALLEST / min(height, width)))
        size = round(height * shrunk), round(width * shrunk)
        base, detail = resized(picture, size), resized(detail, size)
        for step in range(octave * steps + 1, (octave + 1) * steps + 1):
            down, right = rng.integers(-jitter, jitter, 2).tolist()
            dream = (base + detail).roll((down, right), (2, 3)).requires_grad_()
            with torch.enable_grad():
                value = excitement(see(dream, layer))
            gradient = gradient_of(value, dream).roll((-down, -right), (2, 3))
            gradient *= strength / gradient.abs().mean().clamp(min=torch.finfo(gradient.dtype).tiny)
            detail = (base + detail + gradient).clamp(0, 1) - base
            if progress:
                progress(step, octaves * steps, resized(base + detail, (height, width)), float(value.detach()))
    return picture + detail


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture (1, 3, H, W) at another size."""
    if picture.shape[2:] == size:
        return picture
    return F.interpolate(picture, size, mode="bilinear", align_corners=False, antialias=True)


def _strength(activation: Tensor) -> Tensor:
    return activation.square().mean(dim=(1, 2, 3))
