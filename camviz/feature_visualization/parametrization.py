"""Parametrizations of an image for optimization: its pixels, or its frequencies in decorrelated colors."""

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
    """An image as a function of parameters `z`."""

    z: Tensor

    def image(self) -> Tensor:
        """Return the image (1, P, H, W) in [0, 1], P = 3 colors or 1 gray, differentiable with respect to z."""
        ...

    def blur(self, deviation: float) -> None:
        """Blur the image by a Gaussian of this standard deviation in pixels."""
        ...

    def clamp(self) -> None:
        """Clamp z so that the image stays in [0, 1]."""
        ...


class PixelImage:
    """The normalized pixels of an image: 0 is the mean color, 1 one standard deviation above it.

    z (1, 3, H, W);  image = mean + std * z, clamped to black and white
    """

    def __init__(self, z: Tensor, phi: FeatureFunction) -> None:
        self.z, self.mean, self.std = z, phi.mean, phi.std
        self.low, self.high = -phi.mean / phi.std, (1 - phi.mean) / phi.std

    def image(self) -> Tensor:
        """Return the image (1, P, H, W)."""
        return self.mean + self.std * self.z

    def blur(self, deviation: float) -> None:
        """Blur z."""
        self.z.copy_(blur(self.z, deviation))

    def clamp(self) -> None:
        """Clamp z to black and white."""
        self.z.clamp_(self.low, self.high)


class FourierImage:
    """The frequencies of an image, each scaled by its wavelength, in decorrelated colors (Olah et al., 2017).

    z (1, 3, H, W // 2 + 1, 2), real and imaginary;  image = sigmoid(C irfft2(z / f) sqrt(HW) / 4)

    f: the frequency in cycles per pixel, at least one cycle across the image; C: the root of the covariance of the
    colors of photographs, or the identity. A step then changes all scales and the usual colors equally.
    """

    def __init__(self, z: Tensor, size: tuple[int, int], decorrelate: bool) -> None:
        self.z, self.size = z, size
        self.scale = fourier_scale(size).to(z)[..., None]
        colors = z.shape[1]
        root = color_root() if decorrelate and colors == 3 else torch.eye(colors, device="cpu")
        self.colors = root.to(z)

    def image(self) -> Tensor:
        """Return the image (1, P, H, W)."""
        waves = torch.fft.irfft2(torch.view_as_complex(self.z * self.scale), s=self.size)
        return torch.einsum("ij,bjhw->bihw", self.colors, waves).sigmoid()

    def blur(self, deviation: float) -> None:
        """Attenuate the high frequencies as a Gaussian blur does."""
        self.z.mul_(torch.exp(-2 * (math.pi * deviation * frequencies(self.size).to(self.z)) ** 2)[..., None])

    def clamp(self) -> None:
        """Do nothing: the sigmoid keeps the image in [0, 1]."""


def noise(
    phi: FeatureFunction,
    parametrization: Parametrization,
    decorrelate: bool = True,
    seed: int = 0,
    deviation: float = 0.1,
) -> ParametrizedImage:
    """Return the parametrization of faint noise around gray, the start of an optimization."""
    rng = Rng(seed)
    height, width = phi.size
    colors = phi.mean.shape[1]
    if parametrization == "pixels":
        z = rng.normal(1, colors, height, width)
        return PixelImage(deviation * z.to(phi.mean), phi)
    z = rng.normal(1, colors, height, width // 2 + 1, 2)
    return FourierImage(deviation / 10 * z.to(phi.mean), phi.size, decorrelate)


def frequencies(size: tuple[int, int]) -> Tensor:
    """Return the frequency of each term of rfft2 in cycles per pixel, (H, W // 2 + 1)."""
    return torch.hypot(
        torch.fft.fftfreq(size[0], device="cpu")[:, None], torch.fft.rfftfreq(size[1], device="cpu")[None]
    )


def fourier_scale(size: tuple[int, int]) -> Tensor:
    """Return the factor of each term of rfft2, (H, W // 2 + 1): photographs have amplitudes of about 1 / f."""
    return math.sqrt(size[0] * size[1]) / 4 / frequencies(size).clamp(min=1 / max(size))


@functools.cache
def color_root() -> Tensor:
    """Return C with C C^T proportional to the covariance of the colors of photographs, (3, 3), longest column 1.

    Its columns change the brightness, blue against yellow, and green against magenta.
    """
    root = torch.tensor(DIRECTIONS, device="cpu") * torch.tensor(VARIANCES, device="cpu").sqrt()
    longest: Tensor = root.norm(dim=0).max()
    return root / longest


def blur(x: Tensor, deviation: float) -> Tensor:
    """Return x (B, C, H, W) blurred by a Gaussian of this standard deviation in pixels, with mirrored borders."""
    radius = min(math.ceil(3 * deviation), min(x.shape[2:]) - 1)
    return gaussian_blur(x, deviation, radius, "reflect") if radius >= 1 else x
