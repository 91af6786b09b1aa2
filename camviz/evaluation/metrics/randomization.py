"""Sanity check by cascading randomization (Adebayo et al., NeurIPS 2018)."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ...errors import CamvizError
from ...registry import Range
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...tape import observe
from ..pixel_ranking import pixel_values, unit
from ..rank_correlation import rank_correlation
from ..registry import Explain, metric
from ..ssim import ssim

RandomizationOrder = Literal["fresh", "shuffled"]


@dataclass(frozen=True, eq=False)
class RandomizationResult:
    """Maps while a network forgets, and how far each is like the first; `float()` of it is the mean correlation."""

    depths: tuple[float, ...]  # share of the layers with weights that have forgotten, 0 to 1
    layers: tuple[str, ...]  # the deepest layer that has forgotten; "" at the start
    maps: tuple[Tensor, ...]  # raw attributions, (h, w) or (3, H, W)
    correlations: tuple[float, ...]  # Spearman's, 1 at the start
    similarities: tuple[float, ...]  # structural, 1 at the start

    def __float__(self) -> float:
        later = [abs(value) for value in self.correlations[1:]]
        return sum(later) / len(later)


@metric(
    "Randomization",
    better="low",
    cost=9,
    paper="https://arxiv.org/abs/1810.03292",
    limitation="A map that changes depends on the weights, which does not make it right. "
    "And a map that stays may still follow the edges that every network sees, trained or not.",
)
def randomization(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    stages: Annotated[int, Range(1, 60), "In how many steps the network forgets; the first is its last layer"] = 8,
    way: Annotated[RandomizationOrder, "New weights as before training, or the learned ones shuffled"] = "fresh",
    seed: Annotated[int, Range(0, 2**31 - 1), "Which new weights"] = 0,
    progress: Progress | None = None,
) -> RandomizationResult:
    """How much of the map stays while the network forgets, from its last layer down to its first: low is good.

    Number: the mean of |r| over the stages, r = Spearman's correlation of the map with the trained network's

    A copy forgets, never `net`. x (1, 3, H, W); explain(net, x) gives the map of any such network, batched, and
    has to look up layers in the network that it is given.
    """
    names = layers_with_weights(net, x)[::-1]
    if not names:
        raise CamvizError("this network has no weights that it could forget")
    other = copy.deepcopy(net)
    rng = Rng(seed)
    ends = _ends(len(names), stages)
    done, maps = 0, [explain(net, x)[0].detach()]
    for number, end in enumerate(ends):
        if progress:
            progress(number, len(ends) + 1)
        randomize_layers(other, names[done:end], way, rng)
        done = end
        maps.append(explain(other, x)[0].detach())
    if progress:
        progress(len(ends) + 1, len(ends) + 1)
    heats = [pixel_values(one, (x.shape[-2], x.shape[-1])) for one in maps]
    return RandomizationResult(
        depths=(0.0, *(end / len(names) for end in ends)),
        layers=("", *(names[end - 1] for end in ends)),
        maps=tuple(maps),
        correlations=tuple(rank_correlation(heats[0].cpu().numpy(), heat.cpu().numpy()) for heat in heats),
        similarities=tuple(ssim(unit(heats[0]), unit(heat)) for heat in heats),
    )


def layers_with_weights(net: nn.Module, x: Tensor) -> list[str]:
    """The dotted names of the modules that hold parameters of their own, in the order in which they first run."""
    known = {module: name for name, module in net.named_modules()}
    found: dict[str, None] = {}

    def see(module: nn.Module, _: object) -> None:
        if module in known and next(module.parameters(recurse=False), None) is not None:
            found.setdefault(known[module])

    observe(net, x, see)
    return list(found)


def randomize_layers(net: nn.Module, names: Sequence[str], way: RandomizationOrder, rng: Rng) -> None:
    """Give the modules of these names new weights, in place: only ever on a copy.

    "fresh": kernels and matrices normal with variance 2 / fan-in (He et al., 2015), norms as new, other biases 0.
    "shuffled": the values of every tensor permuted at random, a norm's statistics with them.
    """
    with torch.no_grad():
        for module in map(net.get_submodule, names):
            running = {name: held for name, held in module.named_buffers(recurse=False) if held.is_floating_point()}
            for name, values in (*module.named_parameters(recurse=False), *running.items()):
                values.copy_(_shuffled(values, rng) if way == "shuffled" else _fresh(name, values, rng))


def _fresh(name: str, values: Tensor, rng: Rng) -> Tensor:
    if values.ndim >= 2:
        normal = rng.normal(*values.shape, dtype=torch.float64)
        return normal.mul((2 / values[0].numel()) ** 0.5).to(values)
    return torch.ones_like(values) if name in ("weight", "running_var") else torch.zeros_like(values)


def _shuffled(values: Tensor, rng: Rng) -> Tensor:
    order = rng.permutation(values.numel()).to(values.device)
    return values.flatten()[order].view_as(values)


def _ends(layers: int, stages: int) -> list[int]:
    """How many layers have forgotten after each stage: the last one alone, then equal steps."""
    rest = min(stages, layers) - 1
    return [1, *(1 + round((layers - 1) * step / rest) for step in range(1, rest + 1))] if rest else [layers]
