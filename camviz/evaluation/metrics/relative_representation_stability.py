"""Relative representation stability (Agarwal et al., 2022)."""

from collections.abc import Callable
from math import hypot
from typing import Annotated, Any, TypeVar

from torch import Tensor, nn

from ...errors import MetricError
from ...registry import Range
from ...runtime.progress import Progress
from ...tape import observe
from ..registry import Explain, metric
from ..relative_stability import relative_change, relative_stability

Kept = TypeVar("Kept")


@metric(
    "Relative representation stability",
    better="low",
    cost=11,
    paper="https://arxiv.org/abs/2203.06877",
    limitation="Values near zero dominate it, of the map and of the layers, and layers of many values count most: "
    "compare it only between maps of one kind and one model.",
)
def relative_representation_stability(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    samples: Annotated[int, Range(1, 100), "Number of slightly perturbed images"] = 10,
    radius: Annotated[float, Range(0.001, 1, 0.001), "Largest change of a pixel, in normalized units"] = 0.02,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the random perturbations"] = 0,
    progress: Progress | None = None,
) -> float:
    """Largest change of the map in relation to the change of the layers' outputs, both relative: low is good.

    max over e of || (map(x) - map(x + e)) / map(x) || / || (L(x) - L(x + e)) / L(x) ||, L: the outputs of all layers

    e: uniform in -radius..radius for every value. The paper leaves L open; this is the choice of the package Quantus.
    Divisions are by value; an exact 0 counts as 1e-6. Images whose predicted class changes are left out.
    x (1, 3, H, W); explain(net, x) gives the map, batched. Raises CamvizError if every image is left out.
    """
    before = layer_outputs(net, x, Tensor.clone)
    if not before:
        raise MetricError(
            "the layers of this network are hidden, as in TorchScript: use relative output stability instead"
        )

    def change(near: Tensor, *_: Tensor) -> float:
        kept = iter(before)
        return hypot(*layer_outputs(net, near, lambda output: relative_change(next(kept), output)))

    return relative_stability(net, x, explain, change, samples, radius, seed, progress)


def layer_outputs(net: nn.Module, x: Tensor, read: Callable[[Tensor], Kept]) -> list[Kept]:
    """Return `read` of the output of every module without modules in it, in forward order.

    It is called at once, before a later operation in place overwrites the output.
    """
    found: list[Kept] = []

    def see(module: nn.Module, output: Any) -> None:
        if next(module.children(), None) is None and isinstance(output, Tensor) and output.is_floating_point():
            found.append(read(output))

    observe(net, x, see)
    return found
