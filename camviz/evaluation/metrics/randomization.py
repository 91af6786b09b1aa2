"""Sanity check by cascading randomization (Adebayo et al., NeurIPS 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ...errors import MetricError
from ...models.custom.copying import copied
from ...registry import Range
from ...runtime.progress import Progress
from ...runtime.rng import Rng
from ...tape import observe
from ..pixel_ranking import normalize_map, pixel_values
from ..rank_correlation import rank_correlation
from ..registry import Explain, metric
from ..ssim import ssim

NewWeights = Literal["fresh", "shuffled"]


@dataclass(frozen=True, eq=False)
class RandomizationResult:
    """Maps at stages of randomization, compared with the first; `float()` of it is the mean correlation."""

    depths: tuple[float, ...]  # share of the layers with weights that are randomized, 0 to 1
    layers: tuple[str, ...]  # the last layer that was randomized; "" at the start
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
    limitation="A map that changes depends on the weights, which does not make it correct. "
    "A map that stays similar may follow edges, which any network detects, trained or not.",
)
def randomization(
    net: nn.Module,
    x: Tensor,
    explain: Explain,
    *,
    stages: Annotated[int, Range(1, 60), "Number of steps; the first one randomizes the last layer only"] = 8,
    new_weights: Annotated[NewWeights, "Initialized as before training, or the learned ones shuffled"] = "fresh",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the new weights"] = 0,
    progress: Progress | None = None,
) -> RandomizationResult:
    """How similar the map stays as the network's weights are randomized from the last layer to the first: low is good.

    Number: the mean of |r| over the stages, r = Spearman's correlation of the map with the trained network's

    A copy is randomized, never `net`. x (1, 3, H, W); explain(net, x) gives the map of the network that it is given,
    batched, and must look up its layers in that network.
    """
    names = layers_with_weights(net, x)[::-1]
    if not names:
        raise MetricError("this network has no weights to randomize")
    other = copied(net)
    rng = Rng(seed)
    ends = _ends(len(names), stages)
    done, maps = 0, [explain(net, x)[0].detach()]
    for number, end in enumerate(ends):
        if progress:
            progress(number, len(ends) + 1)
        randomize_layers(other, names[done:end], new_weights, rng)
        done = end
        maps.append(explain(other, x)[0].detach())
    if progress:
        progress(len(ends) + 1, len(ends) + 1)
    heatmaps = [pixel_values(one, (x.shape[-2], x.shape[-1])) for one in maps]
    return RandomizationResult(
        depths=(0.0, *(end / len(names) for end in ends)),
        layers=("", *(names[end - 1] for end in ends)),
        maps=tuple(maps),
        correlations=tuple(rank_correlation(heatmaps[0].cpu().numpy(), heatmap.cpu().numpy()) for heatmap in heatmaps),
        similarities=tuple(ssim(normalize_map(heatmaps[0]), normalize_map(heatmap)) for heatmap in heatmaps),
    )


def layers_with_weights(net: nn.Module, x: Tensor) -> list[str]:
    """Return the dotted names of the modules that hold parameters directly, in the order of their first call."""
    known = {module: name for name, module in net.named_modules()}
    found: dict[str, None] = {}

    def see(module: nn.Module, _: object) -> None:
        if module in known and next(module.parameters(recurse=False), None) is not None:
            found.setdefault(known[module])

    observe(net, x, see)
    return list(found)


def randomize_layers(net: nn.Module, names: Sequence[str], new_weights: NewWeights, rng: Rng) -> None:
    """Replace the weights of the modules of these names in place: call it on a copy.

    "fresh": kernels and matrices normal with variance 2 / fan-in (He et al., 2015), norms reset, other biases 0.
    "shuffled": the values of every tensor permuted at random, a norm's statistics with them.
    """
    with torch.no_grad():
        for module in map(net.get_submodule, names):
            running = {name: held for name, held in module.named_buffers(recurse=False) if held.is_floating_point()}
            for name, values in (*module.named_parameters(recurse=False), *running.items()):
                values.copy_(_shuffled(values, rng) if new_weights == "shuffled" else _fresh(name, values, rng))


def _fresh(name: str, values: Tensor, rng: Rng) -> Tensor:
    if values.ndim >= 2:
        normal = rng.normal(*values.shape, dtype=torch.float64)
        return normal.mul((2 / values[0].numel()) ** 0.5).to(values)
    return torch.ones_like(values) if name in ("weight", "running_var") else torch.zeros_like(values)


def _shuffled(values: Tensor, rng: Rng) -> Tensor:
    order = rng.permutation(values.numel()).to(values.device)
    return values.flatten()[order].view_as(values)


def _ends(layers: int, stages: int) -> list[int]:
    """Return the number of randomized layers after each stage: the last layer alone, then equal steps."""
    rest = min(stages, layers) - 1
    return [1, *(1 + round((layers - 1) * step / rest) for step in range(1, rest + 1))] if rest else [layers]
