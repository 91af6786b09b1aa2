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
    phi: FeatureFunction,
    image: Tensor,
    layer: nn.Module,
    score: Score | None = None,
    *,
    octaves: Annotated[int, Range(1, 6), "Number of image sizes, from small to large"] = 4,
    ratio: Annotated[float, Range(1.1, 2, 0.1), "Ratio of one size to the next smaller one"] = 1.4,
    steps: Annotated[int, Range(1, 100), "Steps at each size"] = 10,
    strength: Annotated[
        float, Range(0.001, 0.1, 0.001), "Mean change of a pixel at each step, on a scale from 0 (black) to 1 (white)"
    ] = 0.01,
    jitter: Annotated[int, Range(0, 64), "Largest random shift at each step, in pixels"] = 16,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random shifts"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """The patterns that a layer or one of its channels finds in an image, amplified until they are visible.

    x := x + strength g / mean|g|,  g = ds/dx,  s = mean A^2, or a channel's mean;  (1, 3, H, W) in [0, 1]

    A: the layer's activation. Starts at a small size; the changes made there are enlarged and added to the next larger
    size, so that patterns of all sizes appear. They come from the network, not from the image.
    """
    rng = Rng(seed)
    objective = score or _mean_square
    height, width = image.shape[2:]
    detail = torch.zeros_like(image)
    for octave in range(octaves):
        shrunk = max(ratio ** (octave + 1 - octaves), min(1, SMALLEST / min(height, width)))
        size = round(height * shrunk), round(width * shrunk)
        base, detail = resized(image, size), resized(detail, size)
        for step in range(octave * steps + 1, (octave + 1) * steps + 1):
            down, right = rng.integers(-jitter, jitter, 2).tolist()
            dream = (base + detail).roll((down, right), (2, 3)).requires_grad_()
            with torch.enable_grad():
                value = objective(phi(dream, layer))
            gradient = gradient_of(value, dream).roll((-down, -right), (2, 3))
            gradient *= strength / gradient.abs().mean().clamp(min=torch.finfo(gradient.dtype).tiny)
            detail = (base + detail + gradient).clamp(0, 1) - base
            if progress:
                progress(step, octaves * steps, resized(base + detail, (height, width)), float(value.detach()))
    return image + detail


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image (1, 3, H, W) resized."""
    if image.shape[2:] == size:
        return image
    return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)


def _mean_square(activation: Tensor) -> Tensor:
    return activation.square().mean(dim=(1, 2, 3))
