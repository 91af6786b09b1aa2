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
    phi: FeatureFunction,
    score: Score,
    *,
    regularized: Annotated[bool, "Use the four settings that follow; otherwise plain gradient ascent"] = True,
    weight_decay: Annotated[float, Range(0, 1, 0.001), "Strength of the pull toward gray"] = 0.005,
    blur: Annotated[
        float, Range(0, 5, 0.1), "Blur after every few steps, as a standard deviation in pixels; 0: never"
    ] = 0.6,
    every: Annotated[int, Range(1, 50), "Steps between two blurs"] = 6,
    clipping: Annotated[float, Range(0, 10, 0.1), "Largest norm of the gradient in a step; 0: no limit"] = 1.0,
    steps: Annotated[int, Range(1, 1024), "Steps of gradient ascent"] = 128,
    rate: Annotated[float, Range(0.1, 100, 0.1), "Length of a step, as a multiple of the gradient"] = 2.0,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the initial noise"] = 0,
    progress: ShowFrame | None = None,
) -> Tensor:
    """The image with the highest score for a class, found by gradient ascent on the pixels from gray.

    argmax_I S_c(I) - w |I|^2 / 2;  I := I + rate (dS_c/dI - w I);  (1, 3, H, W), shown in [0, 1]

    S_c: the class score before softmax; I: the normalized image, 0 at the mean color; w: the weight decay. With
    regularization the image is also blurred every few steps and the gradient clipped; without it the result looks like
    noise. It shows outlines and textures of the class many times, not one object.
    """
    return maximize(
        noise(phi, "pixels", seed=seed),
        lambda image: score(phi(image)),
        torch.optim.SGD,
        steps=steps,
        rate=rate,
        weight_decay=weight_decay * regularized,
        blur=blur * regularized,
        every=every,
        clipping=clipping * regularized,
        progress=progress,
    )
