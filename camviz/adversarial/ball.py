"""The changes of a view that an attack may make: a ball in the L-infinity or the L2 norm, inside of [0, 1]."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..runtime.rng import Rng

Norm = Literal["linf", "l2"]
Perturbation = NDArray[np.float64]  # (H, W, 3), in units of the range from black to white
RGB = NDArray[np.uint8]

BISECTIONS = 14  # of the scale at which a perturbation is rounded: to 1/16,000


@dataclass(frozen=True, eq=False)
class Ball:
    """The perturbations d of a view (H, W, 3) with |d| <= epsilon whose view + d lies in [0, 1].

    L-infinity: max |d[i]|; a whole number of 8-bit levels, as nothing between them can be stored. L2: sqrt(sum d[i]^2).
    `gray`: the view has three equal channels, and so has every direction.
    """

    view: RGB
    norm: Norm
    epsilon: float
    gray: bool = False

    @property
    def unit(self) -> Perturbation:
        """The view in [0, 1]."""
        return self.view / 255.0

    def zero(self) -> Perturbation:
        """Return no perturbation."""
        return np.zeros(self.view.shape)

    def project(self, delta: Perturbation) -> Perturbation:
        """Return the point of the ball for any perturbation: the norm is cut off first, then the range."""
        if self.norm == "linf":
            inside = delta.clip(-self.epsilon, self.epsilon)
        else:
            inside = delta * min(1.0, self.epsilon / max(float(np.linalg.norm(delta)), 1e-30))
        allowed: Perturbation = (self.unit + inside).clip(0, 1) - self.unit
        return allowed

    def direction(self, gradient: Perturbation) -> Perturbation:
        """Return the direction of norm 1 in which the loss rises most by its gradient; zero for a gradient of zeros."""
        if self.norm == "linf":
            return np.sign(gradient)
        return gradient / max(float(np.linalg.norm(gradient)), 1e-300)

    def random_point(self, rng: Rng, *, longest: bool = False) -> Perturbation:
        """Return a random point: uniform in L-infinity; in L2 of random direction, and of random or full length."""
        height, width, channels = self.view.shape
        shape = (height, width, 1 if self.gray else channels)
        if self.norm == "linf":
            drawn = self.epsilon * (2 * rng.uniform(*shape).double().numpy() - 1)
            return self.project(np.broadcast_to(drawn, self.view.shape))
        length = 1.0 if longest else float(rng.uniform(1))
        drawn = np.broadcast_to(rng.normal(*shape).double().numpy(), self.view.shape)
        return self.project(length * self.epsilon * self.direction(drawn))

    def stored(self, delta: Perturbation) -> RGB:
        """Return the perturbed view in 8 bits, (H, W, 3), within the ball.

        L-infinity: each value rounded; epsilon is a whole number of levels. L2: round(s * delta) with the largest s at
        which the norm is not above that of delta, since rounding alone can raise it.
        """
        levels = 255 * delta
        rounded = np.rint(levels)
        if self.norm == "l2":
            rounded = _rounded_within(levels, min(float(np.linalg.norm(levels)), 255 * self.epsilon))
        return (self.view + rounded).clip(0, 255).astype(np.uint8)


def _rounded_within(levels: Perturbation, most: float) -> Perturbation:
    """Return round(s * levels) with the largest s, up to 1000, at which its L2 norm is at most `most`; by bisection.

    The norm grows with s, as every |round(s * v)| does.
    """

    flat = levels.ravel().astype(np.float32)

    def fits(scale: float) -> bool:
        rounded = np.rint(np.float32(scale) * flat)
        return float(np.square(rounded).sum(dtype=np.float64)) <= most**2

    low, high = 0.0, 1.0
    while high < 1000 and fits(high):
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    best: Perturbation = np.rint(np.float32(low) * flat).astype(np.float64).reshape(levels.shape)
    return best
