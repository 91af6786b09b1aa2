"""Activation maximization (Erhan et al., 2009), as feature visualization (Olah et al., 2017)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..errors import LayerError
from ..messages import Message
from ..registry import Range, synthesis
from ..scores import Score
from .features import FeatureFunction
from .optimization import RandomTransform, ShowFrame, maximize
from .parametrization import noise


@synthesis("Activation maximization", paper="https://distill.pub/2017/feature-visualization/")
def activation_maximization(
    phi: FeatureFunction,
    score: Score,
    layer: nn.Module | None = None,
    *,
    row: Annotated[int | None, Range(0, 8191), "Use only the neurons of the channel in this row; empty: all"] = None,
    column: Annotated[
        int | None, Range(0, 8191), "Use only the neurons of the channel in this column; empty: all"
    ] = None,
    parametrization: Annotated[
        Literal["fourier", "pixels"], "Optimize the frequencies (as in 2017) or the pixels (as in 2009)"
    ] = "fourier",
    decorrelate: Annotated[
        bool, "Frequencies: use the decorrelated colors of photographs instead of red, green and blue"
    ] = True,
    jitter: Annotated[int, Range(0, 32), "Largest random shift at each step, in pixels"] = 8,
    rotation: Annotated[float, Range(0, 45, 1), "Largest random rotation at each step, in degrees"] = 5.0,
    zoom: Annotated[float, Range(0, 0.5, 0.01), "Largest random change of size at each step, as a share"] = 0.05,
    weight_decay: Annotated[float, Range(0, 1, 0.01), "Strength of the pull toward gray"] = 0.0,
    blur: Annotated[
        float, Range(0, 5, 0.1), "Blur after every few steps, as a standard deviation in pixels; 0: never"
    ] = 0.0,
    every: Annotated[int, Range(1, 50), "Steps between two blurs"] = 4,
    clipping: Annotated[float, Range(0, 10, 0.1), "Largest norm of the gradient in a step; 0: no limit"] = 0.0,
    steps: Annotated[int, Range(1, 1024), "Steps of gradient ascent"] = 128,
    rate: Annotated[float, Range(0.001, 1, 0.001), "Length of a step (Adam's learning rate)"] = 0.05,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the initial noise"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """The image that activates a channel, a single neuron or a class most, optimized from faint noise.

    z := z + Adam(d s(phi(T x(z))) / dz);  (1, 3, H, W) in [0, 1]

    s: the mean of a channel over all places or those of one row and column, or a class score; x(z): the image with the
    parameters z; T: a small random shift, rotation and zoom. The result is one of many such images, and mixes what the
    channel responds to with artifacts of the optimization. Without T it becomes high-frequency noise.
    """
    transform = RandomTransform(jitter, rotation, zoom, seed)

    def objective(image: Tensor) -> Tensor:
        return score(_place(phi(transform(image), layer), row, column))

    start = noise(phi, parametrization, decorrelate, seed)
    return maximize(
        start,
        objective,
        steps=steps,
        rate=rate,
        weight_decay=weight_decay,
        blur=blur,
        every=every,
        clipping=clipping,
        progress=progress,
    )


def _place(activation: Tensor, row: int | None, column: int | None) -> Tensor:
    for axis, (name, value) in enumerate((("row", row), ("column", column)), start=2):
        if value is None:
            continue
        if activation.ndim != 4:
            raise LayerError("a class has no {name}: choose a layer and a channel", name=Message(name))
        if value >= activation.shape[axis]:
            raise LayerError(
                "this layer has {name}s 0 to {last}; got {value}",
                name=Message(name),
                last=activation.shape[axis] - 1,
                value=value,
            )
        activation = activation.narrow(axis, value, 1)
    return activation
