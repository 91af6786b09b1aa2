"""KernelSHAP (Lundberg & Lee, NeurIPS 2017) on superpixels."""

from itertools import product
from math import comb
from typing import Annotated

import torch
from torch import Tensor, nn

from ..acceleration.many_passes import many_passes, partial_progress
from ..perturbation.coalitions import HIDDEN_HELP, Hidden, scores_of_coalitions, superpixels_and_background
from ..registry import Range, method
from ..runtime.progress import Progress
from ..runtime.rng import Rng
from ..scores import Score
from ..tape import usual_modes


@method(
    "KernelSHAP",
    family="perturbation",
    paper="https://arxiv.org/abs/1705.07874",
    reads="Showing the highlighted superpixels raises {score} most, on average over what else is visible.",
    caution="With many superpixels the values are estimates: compare two seeds. Images with hidden parts are unlike "
    "the training images.",
)
@usual_modes()
def kernel_shap(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    superpixels: Annotated[int, Range(2, 200), "Number of parts into which the image is divided by color"] = 50,
    samples: Annotated[int, Range(2, 1000), "Number of masked images; all possible ones, if they are no more"] = 500,
    hidden: Annotated[Hidden, HIDDEN_HELP] = "mean color",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the masks: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Shapley value of each superpixel: what showing it adds to the score, averaged over all others visible or not.

    map[i,j] = phi[k], the Shapley value of the superpixel k at i,j, signed, (B, H, W);  sum_k phi[k] = S(x) - S(0)

    phi minimizes sum_n w(|z[n]|) ( S(0) + z[n].phi - S(n) )^2 with that sum; z[n]: the visible superpixels of masked
    image n, w(s) = (M - 1) / (C(M,s) s (M - s)). With too many z for all of them, half of the samples is drawn by w and
    the other half are their complements.

    The only division of the score that is fair in the sense of Shapley. The parts come from the colors of the image.
    """
    x = x.detach()
    result = torch.zeros_like(x[:, 0])
    with torch.no_grad(), many_passes(net, x) as passes:
        for number, image in enumerate(x):
            labels, behind = superpixels_and_background(image, superpixels, hidden)
            visible, weight = coalitions(int(labels.max()) + 1, samples, seed)
            report = partial_progress(progress, number, len(x))
            scores = scores_of_coalitions(net, image, score, visible, labels, behind, passes.size, report)
            result[number] = shapley_values(visible, scores, weight).to(x)[labels]
    return result


def coalitions(count: int, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return sets of `count` members (N, count), first none and all of them, and the weights of the others (N - 2,)."""
    ends = torch.stack([torch.zeros(count), torch.ones(count)]).double()
    sizes = torch.arange(1, count).double()
    odds = (count - 1) / (sizes * (count - sizes))
    if count < 30 and 2**count - 2 <= samples:
        every = torch.tensor([*product((0.0, 1.0), repeat=count)][1:-1], dtype=torch.float64).view(-1, count)
        ways = torch.tensor([comb(count, size) for size in range(1, count)])
        return torch.cat([ends, every]), (odds / ways)[every.sum(dim=1).long() - 1]
    rng = Rng(seed)
    bounds = odds.cumsum(dim=0) / odds.sum()
    drawn = []
    for _ in range(-(-samples // 2)):
        size = int((bounds < rng.uniform(1, dtype=torch.float64)).sum()) + 1
        one = torch.zeros(count).double().index_fill_(0, rng.permutation(count)[:size], 1)
        drawn += [one, 1 - one]
    return torch.cat([ends, torch.stack(drawn[:samples])]), torch.ones(samples).double()


def shapley_values(visible: Tensor, scores: Tensor, weight: Tensor) -> Tensor:
    """Return phi (M,), which sums to scores[1] - scores[0]; of several solutions the most even one."""
    root, share = weight.sqrt(), (scores[1] - scores[0]) / visible.shape[1]
    rows = visible[2:]
    centered = rows - rows.mean(dim=1, keepdim=True)
    rest = scores[2:] - scores[0] - share * rows.sum(dim=1)
    found: Tensor = torch.linalg.lstsq(root[:, None] * centered, root * rest, driver="gelsd").solution
    return share + found - found.mean()
