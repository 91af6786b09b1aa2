"""Gradient ascent on a parametrized image, and the random transforms that regularize it."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.rng import Rng
from ..tape import gradient_of
from .parametrization import ParametrizedImage

# done, total, the image (1, 3, H, W) in [0, 1], the objective
ShowFrame = Callable[[int, int, Tensor, float], Any]
Objective = Callable[[Tensor], Tensor]


def maximize(
    start: ParametrizedImage,
    objective: Objective,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    *,
    steps: int,
    rate: float,
    weight_decay: float = 0.0,
    blur: float = 0.0,
    every: int = 4,
    clipping: float = 0.0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """Return the image (1, 3, H, W) after `steps` steps of gradient ascent on objective(image), (1,).

    Regularization: `weight_decay` shrinks z toward gray; a Gaussian `blur` of this standard deviation in pixels is
    applied after every `every` steps; `clipping` limits the norm of the gradient. 0 turns each of them off.
    """
    z = start.z.requires_grad_()
    moves = optimizer([z], lr=rate, weight_decay=weight_decay, maximize=True)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            image = start.image()
            value = objective(image)
        gradient = gradient_of(value, z)
        if clipping:
            gradient *= (clipping / gradient.norm()).clamp(max=1)
        z.grad = gradient
        moves.step()
        with torch.no_grad():
            if blur and step % every == 0 and step < steps:
                start.blur(blur)
            start.clamp()
            if progress:
                progress(step, steps, start.image() if step == steps else image.detach(), float(value.detach()))
    with torch.no_grad():
        return start.image()


class RandomTransform:
    """A random shift, rotation and zoom of an image, drawn anew at each call.

    `jitter` in pixels, `rotation` in degrees, `zoom` as a share: the maximum of each, in both directions.
    """

    def __init__(self, jitter: float, rotation: float, zoom: float, seed: int) -> None:
        self.maximum = (jitter, jitter, math.radians(rotation), zoom)
        self.rng = Rng(seed + 1)

    def __call__(self, image: Tensor) -> Tensor:
        """Return the transformed image (1, 3, H, W), mirrored beyond its border."""
        if not any(self.maximum):
            return image
        directions = (2 * self.rng.uniform(4) - 1).tolist()
        down, right, angle, zoom = (most * direction for most, direction in zip(self.maximum, directions, strict=True))
        return transformed(image, down, right, angle, 1 + zoom)


def transformed(image: Tensor, down: float, right: float, angle: float, zoom: float) -> Tensor:
    """Return the image (1, 3, H, W) shifted by pixels, rotated counterclockwise (radians) and enlarged by `zoom`."""
    height, width = image.shape[2:]
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    # affine_grid measures both sides from -1 to 1, so the rotation of an image that is not square needs its shape.
    inverse = [
        [cos, -sin * height / width, (-cos * right + sin * down) * 2 / width],
        [sin * width / height, cos, (-sin * right - cos * down) * 2 / height],
    ]
    grid = F.affine_grid(image.new_tensor([inverse]), list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
