"""Relative output stability (Agarwal et al., 2022)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ..registry import Explain, metric
from ..relative_stability import relative_stability


@metric(
    "Relative output stability",
    better="low",
    cost=11,
    paper="https://arxiv.org/abs/2203.06877",
    limitation="Values of the map near zero dominate it, and it is in units of the class scores: compare it only "
    "between maps of one kind and one model.",
)
def relative_output_stability(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "Number of slightly perturbed images"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "Largest change of a pixel, in normalized units"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """Largest relative change of the map in relation to the change of the class scores: low is good.

    max over e of || (map(x) - map(x + e)) / map(x) || / || z(x) - z(x + e) ||, z: the class scores before the softmax

    e: uniform in -radius..radius for every value. Unlike relative input stability, it lets a map change where the
    prediction does. Divisions are by value; an exact 0 counts as 1e-6. Images whose predicted class changes are left
    out. x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError if every image is left out.
    """
    return relative_stability(
        net, x, explain, lambda _, scores, near: float((scores - near).norm()), samples, radius, seed, progress
    )
