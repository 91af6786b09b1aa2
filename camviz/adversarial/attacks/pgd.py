"""PGD, projected gradient descent (Madry et al., ICLR 2018)."""

from typing import Annotated

from ...registry import Range
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ..ball import Ball, Perturbation
from ..objective import Objective
from ..registry import attack_method


@attack_method("PGD", paper="https://arxiv.org/abs/1706.06083")
def pgd(
    objective: Objective,
    ball: Ball,
    *,
    steps: Annotated[int, Range(1, 200), "Number of steps, one gradient each"] = 10,
    random_start: Annotated[bool, "Start at a random point of the ball instead of the image itself"] = False,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random start"] = 0,
    progress: Progress | None = None,
) -> Perturbation:
    """Several small steps along the gradient, each followed by a projection back into the ball of allowed changes.

    delta[t+1] = project( delta[t] + a * direction(dL/dx at x + delta[t]) ), a = 2.5 * epsilon / steps

    direction: the sign in the L-infinity norm, g / |g| in the L2 norm. Of all points on the way the one with the
    highest L is returned. Gradients are taken at the 8-bit image that would be stored.
    """
    size = 2.5 * ball.epsilon / steps
    delta = ball.random_point(Rng(seed)) if random_start else ball.zero()
    best, highest = delta, float("-inf")
    for step in range(steps):
        value, gradient = objective.gradient(ball, delta)
        if value > highest:
            best, highest = delta, value
        delta = ball.project(delta + size * ball.direction(gradient))
        if progress:
            progress(step + 1, steps)
    return delta if objective.value(ball, delta) >= highest else best
