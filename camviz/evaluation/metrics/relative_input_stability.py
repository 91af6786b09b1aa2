"""Relative input stability (Agarwal et al., 2022)."""

from typing import Annotated

from torch import Tensor, nn

from ...registry import Range
from ...runtime.progress import Progress
from ..registry import Explain, metric
from ..relative_stability import relative_change, relative_stability


@metric(
    "Relative input stability",
    better="low",
    cost=11,
    paper="https://arxiv.org/abs/2203.06877",
    limitation="Values of the map near zero dominate it, as each change is relative to the value itself: compare it "
    "only between maps of one kind.",
)
def relative_input_stability(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "Number of slightly perturbed images"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "Largest change of a pixel, in normalized units"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """Largest change of the map in relation to the change of the image, both relative: low is good.

    max over e of || (map(x) - map(x + e)) / map(x) || / || e / x ||, e uniform in -radius..radius for every value

    Divisions are by value; an exact 0 counts as 1e-6. Images whose predicted class changes are left out.
    x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError if every image is left out.
    """
    return relative_stability(
        net, x, explain, lambda near, *_: relative_change(x, near), samples, radius, seed, progress
    )
