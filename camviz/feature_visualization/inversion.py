"""The inverted representation (Mahendran & Vedaldi, 2015)."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..registry import Range, synthesis
from .features import FeatureFunction
from .optimization import ShowFrame, maximize
from .parametrization import noise

ALPHA = 6


@synthesis("Inverted representation", paper="https://arxiv.org/abs/1412.0035")
def inversion(
    see: FeatureFunction,
    picture: Tensor,
    layer: nn.Module,
    *,
    parametrization: Annotated[
        Literal["fourier", "pixels"], "What is changed: the frequencies, or the pixels (as in the paper)"
    ] = "fourier",
    alpha: Annotated[float, Range(0, 1, 0.001), "Weight of the norm that keeps the colors from extremes"] = 0.001,
    variation: Annotated[float, Range(0, 1, 0.01), "Weight of the total variation: it keeps neighbors alike"] = 0.01,
    beta: Annotated[float, Range(1, 3, 0.1), "Power of the total variation: 1 keeps edges, 2 smooths them"] = 2.0,
    steps: Annotated[int, Range(1, 1024), "Steps of the descent"] = 128,
    rate: Annotated[float, Range(0.001, 1, 0.001), "Length of a step (Adam's learning rate)"] = 0.1,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which noise it starts from"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """A picture that looks the same to a layer: what of the picture is still known there.

    argmin_x |phi(x) - phi0|^2 / |phi0|^2 + a mean|x|^6 + v mean((dx/dh)^2 + (dx/dw)^2)^(beta/2);  (1, 3, H, W)

    phi0: the layer's activation on the picture; x: normalized; dh, dw: from a pixel to the one below and to its right.
    What differs from the picture is what the layer has forgotten, or what the search did not find in its steps.
    """
    with torch.no_grad():
        wanted = see(picture, layer)
        length = wanted.square().sum()

    def likeness(guess: Tensor) -> Tensor:
        x = see.normalized(guess)
        distance = (see(guess, layer) - wanted).square().sum() / length
        return -(distance + alpha * x.pow(ALPHA).mean() + variation * total_variation(x, beta))[None]

    def show(done: int, total: int, guess: Tensor, value: float) -> Any:
        return progress and progress(done, total, guess, -value)

    canvas = noise(see, parametrization, seed=seed)
    return maximize(canvas, likeness, steps=steps, rate=rate, progress=show)


def total_variation(x: Tensor, beta: float) -> Tensor:
    """How much neighbors differ, over height and width: the mean of ((dx/dh)^2 + (dx/dw)^2)^(beta/2) over x."""
    down = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
    right = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    return (down.square() + right.square() + 1e-12).pow(beta / 2).mean()


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Pearson's correlation of two pictures (H, W, 3) over all pixels and colors; 0 where one is flat."""
    first, second = (values.astype(np.float64).ravel() - values.mean() for values in (a, b))
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths) if lengths else 0.0
