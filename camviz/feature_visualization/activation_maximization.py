"""Activation maximization (Erhan et al., 2009), as feature visualization (Olah et al., 2017)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..errors import CamvizError
from ..messages import Message
from ..registry import Range, synthesis
from ..scores import Score
from .features import FeatureFunction
from .optimization import RandomTransform, ShowFrame, maximize
from .parametrization import noise


@synthesis("Activation maximization", paper="https://distill.pub/2017/feature-visualization/")
def activation_maximization(
    see: FeatureFunction,
    score: Score,
    layer: nn.Module | None = None,
    *,
    row: Annotated[int | None, Range(0, 8191), "Only the channel's neurons in this row; empty: all"] = None,
    column: Annotated[int | None, Range(0, 8191), "Only the channel's neurons in this column; empty: all"] = None,
    parametrization: Annotated[
        Literal["fourier", "pixels"], "What is changed: the frequencies (as in 2017) or the pixels (as in 2009)"
    ] = "fourier",
    decorrelate: Annotated[bool, "Frequencies: in the colors of photographs rather than red, green and blue"] = True,
    jitter: Annotated[int, Range(0, 32), "Move the picture by up to so many pixels at each step"] = 8,
    rotation: Annotated[float, Range(0, 45, 1), "Turn it by up to so many degrees"] = 5.0,
    zoom: Annotated[float, Range(0, 0.5, 0.01), "Enlarge or shrink it by up to this share"] = 0.05,
    weight_decay: Annotated[float, Range(0, 1, 0.01), "How strongly the picture is drawn to gray"] = 0.0,
    blur: Annotated[float, Range(0, 5, 0.1), "Blur it every few steps by so many pixels; 0: never"] = 0.0,
    every: Annotated[int, Range(1, 50), "Steps from blur to blur"] = 4,
    clipping: Annotated[float, Range(0, 10, 0.1), "Longest gradient of a step; 0: any"] = 0.0,
    steps: Annotated[int, Range(1, 1024), "Steps of the ascent"] = 128,
    rate: Annotated[float, Range(0.001, 1, 0.001), "Length of a step (Adam's learning rate)"] = 0.05,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which noise it grows from"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """The picture that excites a channel, a single neuron or a class most, grown out of faint noise.

    z := z + Adam(d s(phi(T x(z))) / dz);  (1, 3, H, W) in [0, 1]

    s: a channel's mean over all places or those of one row and column, or a class score; x(z): the picture that z
    stands for; T: a small random move, turn and zoom. It is one of many pictures that do so, and mixes what a channel
    answers to with what the optimization likes to draw; without T it becomes noise that only the network can read.
    """
    wobble = RandomTransform(jitter, rotation, zoom, seed)

    def excitation(picture: Tensor) -> Tensor:
        return score(_place(see(wobble(picture), layer), row, column))

    canvas = noise(see, parametrization, decorrelate, seed)
    return maximize(
        canvas,
        excitation,
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
            raise CamvizError("a class has no {name}: choose a layer and a channel", name=Message(name))
        if value >= activation.shape[axis]:
            raise CamvizError(
                "this layer has {name}s 0 to {last}; got {value}",
                name=Message(name),
                last=activation.shape[axis] - 1,
                value=value,
            )
        activation = activation.narrow(axis, value, 1)
    return activation
