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
    phi: FeatureFunction,
    image: Tensor,
    layer: nn.Module,
    *,
    parametrization: Annotated[
        Literal["fourier", "pixels"], "Optimize the frequencies, or the pixels (as in the paper)"
    ] = "fourier",
    alpha: Annotated[float, Range(0, 1, 0.001), "Weight of the norm that penalizes extreme colors"] = 0.001,
    variation: Annotated[
        float, Range(0, 1, 0.01), "Weight of the total variation, which keeps neighboring pixels similar"
    ] = 0.01,
    beta: Annotated[float, Range(1, 3, 0.1), "Exponent of the total variation: 1 keeps edges, 2 smooths them"] = 2.0,
    steps: Annotated[int, Range(1, 1024), "Steps of gradient descent"] = 128,
    rate: Annotated[float, Range(0.001, 1, 0.001), "Length of a step (Adam's learning rate)"] = 0.1,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the initial noise"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """An image with the same activation at a layer: it shows what the layer still represents of the original.

    argmin_x |phi(x) - phi0|^2 / |phi0|^2 + a mean|x|^6 + v mean((dx/dh)^2 + (dx/dw)^2)^(beta/2);  (1, 3, H, W)

    phi0: the layer's activation for the original; x: normalized; dh, dw: to the pixel below and to the right.
    Where the result differs from the original, the layer has lost information or the optimization did not converge.
    """
    with torch.no_grad():
        wanted = phi(image, layer)
        length = wanted.square().sum()

    def objective(guess: Tensor) -> Tensor:
        x = phi.normalized(guess)
        distance = (phi(guess, layer) - wanted).square().sum() / length
        return -(distance + alpha * x.pow(ALPHA).mean() + variation * total_variation(x, beta))[None]

    def show(done: int, total: int, guess: Tensor, value: float) -> Any:
        return progress and progress(done, total, guess, -value)

    start = noise(phi, parametrization, seed=seed)
    return maximize(start, objective, steps=steps, rate=rate, progress=show)


def total_variation(x: Tensor, beta: float) -> Tensor:
    """Return the total variation of x: the mean of ((dx/dh)^2 + (dx/dw)^2)^(beta/2)."""
    down = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
    right = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    return (down.square() + right.square() + 1e-12).pow(beta / 2).mean()


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return Pearson's correlation of two images (H, W, 3) over all pixels and colors; 0 if one is constant."""
    first, second = (values.astype(np.float64).ravel() - values.mean() for values in (a, b))
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths) if lengths else 0.0
