"""Gradient ascent on a canvas, step by step, and how a picture is moved about meanwhile."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.rng import Rng
from ..tape import gradient_of
from .parametrization import ParametrizedImage

# done, total, the picture (1, 3, H, W) in [0, 1], the objective
ShowFrame = Callable[[int, int, Tensor, float], Any]
Objective = Callable[[Tensor], Tensor]


def maximize(
    canvas: ParametrizedImage,
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
    """The picture (1, 3, H, W) after `steps` steps that raise objective(picture), (1,).

    Regularized by `weight_decay` (z shrinks toward gray), by a `blur` of that deviation `every` so many steps, and by
    `clipping` the gradient to that length; 0: not at all.
    """
    z = canvas.z.requires_grad_()
    moves = optimizer([z], lr=rate, weight_decay=weight_decay, maximize=True)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            picture = canvas.picture()
            value = objective(picture)
        gradient = gradient_of(value, z)
        if clipping:
            gradient *= (clipping / gradient.norm()).clamp(max=1)
        z.grad = gradient
        moves.step()
        with torch.no_grad():
            if blur and step % every == 0 and step < steps:
                canvas.soften(blur)
            canvas.settle()
            if progress:
                progress(step, steps, canvas.picture() if step == steps else picture.detach(), float(value.detach()))
    with torch.no_grad():
        return canvas.picture()


class RandomTransform:
    """Shows a picture a little moved, turned and zoomed, each time otherwise, so that no single pixel counts.

    `jitter` in pixels, `rotation` in degrees, `zoom` as a share: each the most, to either side.
    """

    def __init__(self, jitter: float, rotation: float, zoom: float, seed: int) -> None:
        self.most = (jitter, jitter, math.radians(rotation), zoom)
        self.rng = Rng(seed + 1)

    def __call__(self, picture: Tensor) -> Tensor:
        """The picture (1, 3, H, W) as it is seen this time; what comes in at an edge mirrors it."""
        if not any(self.most):
            return picture
        ways = (2 * self.rng.uniform(4) - 1).tolist()
        down, right, angle, zoom = (most * way for most, way in zip(self.most, ways, strict=True))
        return transformed(picture, down, right, angle, 1 + zoom)


def transformed(picture: Tensor, down: float, right: float, angle: float, zoom: float) -> Tensor:
    """The picture (1, 3, H, W) moved by pixels, turned anticlockwise by `angle` (radians) and enlarged by `zoom`."""
    height, width = picture.shape[2:]
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    # affine_grid measures both sides from -1 to 1, so that turning a picture that is not square needs its shape.
    inverse = [
        [cos, -sin * height / width, (-cos * right + sin * down) * 2 / width],
        [sin * width / height, cos, (-sin * right - cos * down) * 2 / height],
    ]
    grid = F.affine_grid(picture.new_tensor([inverse]), list(picture.shape), align_corners=False)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
