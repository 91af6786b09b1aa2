"""FGSM, the fast gradient sign method (Goodfellow et al., ICLR 2015)."""

from ...runtime.progress import Progress
from ..ball import Ball, Perturbation
from ..objective import Objective
from ..registry import attack_method


@attack_method("FGSM", paper="https://arxiv.org/abs/1412.6572")
def fgsm(objective: Objective, ball: Ball, *, progress: Progress | None = None) -> Perturbation:
    """One step of the whole size along the sign of the gradient.

    delta = epsilon * sign(dL/dx) in the L-infinity norm, epsilon * g / |g| with g = dL/dx in the L2 norm

    The cheapest attack, one gradient. It follows the gradient at the image itself, so it often misses what a few
    smaller steps find.
    """
    _, gradient = objective.gradient(ball, ball.zero())
    if progress:
        progress(1, 1)
    return ball.project(ball.epsilon * ball.direction(gradient))
