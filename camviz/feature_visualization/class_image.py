"""The class-specific image (Simonyan et al., 2014)."""

from typing import Annotated

import torch
from torch import Tensor

from ..registry import Range, synthesis
from ..scores import Score
from .features import FeatureFunction
from .optimization import ShowFrame, maximize
from .parametrization import noise


@synthesis("Class image", paper="https://arxiv.org/abs/1312.6034")
def class_image(
    see: FeatureFunction,
    score: Score,
    *,
    regularized: Annotated[bool, "With the four settings that follow; without: the bare ascent"] = True,
    weight_decay: Annotated[float, Range(0, 1, 0.001), "How strongly the picture is drawn to gray"] = 0.005,
    blur: Annotated[float, Range(0, 5, 0.1), "Blur it every few steps by so many pixels; 0: never"] = 0.6,
    every: Annotated[int, Range(1, 50), "Steps from blur to blur"] = 6,
    clipping: Annotated[float, Range(0, 10, 0.1), "Longest gradient of a step; 0: any"] = 1.0,
    steps: Annotated[int, Range(1, 1024), "Steps of the ascent"] = 128,
    rate: Annotated[float, Range(0.1, 100, 0.1), "Length of a step, as a multiple of the gradient"] = 2.0,
    seed: Annotated[int, Range(0, 2**31 - 1), "Which noise it grows from"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """The picture that scores highest for a class, by plain gradient ascent on the pixels from gray.

    argmax_I S_c(I) - w |I|^2 / 2;  I := I + rate (dS_c/dI - w I);  (1, 3, H, W), shown in [0, 1]

    S_c: the class score before softmax; I: the normalized picture, 0 where it is the mean color; w: the weight decay.
    Regularized, it is also blurred now and then, and its gradient clipped, or it would be noise to our eyes. It shows
    outlines and textures of the class many times over, not one object.
    """
    return maximize(
        noise(see, "pixels", seed=seed),
        lambda picture: score(see(picture)),
        torch.optim.SGD,
        steps=steps,
        rate=rate,
        weight_decay=weight_decay * regularized,
        blur=blur * regularized,
        every=every,
        clipping=clipping * regularized,
        progress=progress,
    )
