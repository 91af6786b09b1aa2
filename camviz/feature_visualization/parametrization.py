"""What is changed when a picture is made: its pixels, or its frequencies in decorrelated colors."""

import functools
import math
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..perturbation.gaussian_blur import gaussian_blur
from ..runtime.rng import Rng
from .features import FeatureFunction

Parametrization = Literal["fourier", "pixels"]

# The principal components of the colors of ImageNet's pixels (Krizhevsky et al., 2012): variances, and the
# directions as columns.
VARIANCES = (0.2175, 0.0188, 0.0045)
DIRECTIONS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class ParametrizedImage(Protocol):
    """Numbers `z` that stand for a picture."""

    z: Tensor

    def picture(self) -> Tensor:
        """The picture (1, 3, H, W) in [0, 1], differentiable by z."""
        ...

    def soften(self, deviation: float) -> None:
        """Blur the picture by a Gaussian of that deviation, in pixels."""
        ...

    def settle(self) -> None:
        """Bring z back to where the picture is one."""
        ...


class PixelImage:
    """The picture's pixels, in the network's own unit: 0 is the mean color, 1 a standard deviation off.

    z (1, 3, H, W);  picture = mean + std * z, cut off at black and white
    """

    def __init__(self, z: Tensor, sight: FeatureFunction) -> None:
        self.z, self.mean, self.std = z, sight.mean, sight.std
        self.low, self.high = -sight.mean / sight.std, (1 - sight.mean) / sight.std

    def picture(self) -> Tensor:
        """The picture (1, 3, H, W)."""
        return self.mean + self.std * self.z

    def soften(self, deviation: float) -> None:
        """Blur z."""
        self.z.copy_(blur(self.z, deviation))

    def settle(self) -> None:
        """Cut z off at black and white."""
        self.z.clamp_(self.low, self.high)


class FourierImage:
    """The picture's frequencies, each weighted by its wavelength, in decorrelated colors (Olah et al., 2017).

    z (1, 3, H, W // 2 + 1, 2), real and imaginary;  picture = sigmoid(C irfft2(z / f) sqrt(HW) / 4)

    f: the frequency in cycles a pixel, at least that of one wave across the picture; C: the root of the covariance of
    the colors of photographs, or the identity. So every step changes all scales and the usual colors alike.
    """

    def __init__(self, z: Tensor, size: tuple[int, int], decorrelate: bool) -> None:
        self.z, self.size = z, size
        self.scale = fourier_scale(size).to(z)[..., None]
        self.colors = color_root().to(z) if decorrelate else torch.eye(3, dtype=z.dtype, device=z.device)

    def picture(self) -> Tensor:
        """The picture (1, 3, H, W)."""
        waves = torch.fft.irfft2(torch.view_as_complex(self.z * self.scale), s=self.size)
        return torch.einsum("ij,bjhw->bihw", self.colors, waves).sigmoid()

    def soften(self, deviation: float) -> None:
        """Weaken the high frequencies, which is what a Gaussian blur does."""
        self.z.mul_(torch.exp(-2 * (math.pi * deviation * frequencies(self.size).to(self.z)) ** 2)[..., None])

    def settle(self) -> None:
        """Nothing: the sigmoid keeps the picture a picture."""


def noise(
    sight: FeatureFunction,
    parametrization: Parametrization,
    decorrelate: bool = True,
    seed: int = 0,
    deviation: float = 0.1,
) -> ParametrizedImage:
    """A canvas of faint noise around gray, to grow a picture from."""
    rng = Rng(seed)
    height, width = sight.size
    if parametrization == "pixels":
        z = rng.normal(1, 3, height, width)
        return PixelImage(deviation * z.to(sight.mean), sight)
    z = rng.normal(1, 3, height, width // 2 + 1, 2)
    return FourierImage(deviation / 10 * z.to(sight.mean), sight.size, decorrelate)


def frequencies(size: tuple[int, int]) -> Tensor:
    """The frequency of each term of rfft2 in cycles a pixel, (H, W // 2 + 1)."""
    return torch.hypot(
        torch.fft.fftfreq(size[0], device="cpu")[:, None], torch.fft.rfftfreq(size[1], device="cpu")[None]
    )


def fourier_scale(size: tuple[int, int]) -> Tensor:
    """What each term of rfft2 is multiplied with, (H, W // 2 + 1): photographs have amplitudes of about 1 / f."""
    return math.sqrt(size[0] * size[1]) / 4 / frequencies(size).clamp(min=1 / max(size))


@functools.cache
def color_root() -> Tensor:
    """C with C C^T proportional to the covariance of the colors of photographs, (3, 3); its longest column is 1.

    Its columns change the brightness, blue against yellow, and green against magenta.
    """
    root = torch.tensor(DIRECTIONS, device="cpu") * torch.tensor(VARIANCES, device="cpu").sqrt()
    longest: Tensor = root.norm(dim=0).max()
    return root / longest


def blur(x: Tensor, deviation: float) -> Tensor:
    """Return x (B, C, H, W) under a Gaussian of that standard deviation in pixels, with mirrored borders."""
    radius = min(math.ceil(3 * deviation), min(x.shape[2:]) - 1)
    return gaussian_blur(x, deviation, radius, "reflect") if radius >= 1 else x
