"""LIME (Ribeiro et al., KDD 2016) on superpixels."""

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
    "LIME",
    family="perturbation",
    paper="https://arxiv.org/abs/1602.04938",
    reads="Showing the highlighted superpixels raises {score} most, by a linear model of randomly masked images.",
    caution="The linear model fits only roughly, and another seed or another division of the image gives another "
    "heatmap. Masked images are unlike the training images.",
)
@usual_modes()
def lime(
    net: nn.Module,
    x: Tensor,
    score: Score,
    *,
    superpixels: Annotated[int, Range(2, 200), "Number of parts into which the image is divided by color"] = 50,
    samples: Annotated[int, Range(2, 1000), "Number of randomly masked images"] = 500,
    width: Annotated[
        float, Range(0.05, 2, 0.05), "Width of the kernel: with a small one, images with few hidden parts count more"
    ] = 0.25,
    penalty: Annotated[float, Range(0, 10, 0.1), "Penalty of large coefficients (ridge regression)"] = 1.0,
    hidden: Annotated[Hidden, HIDDEN_HELP] = "mean color",
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the masks: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Coefficient of each superpixel in a linear model of the score of randomly masked images.

    map[i,j] = b[k], the coefficient of the superpixel k at i,j, signed, (B, H, W)

    a, b = argmin sum_n w[n] ( a + z[n].b - S(n) )^2 + penalty |b|^2; z[n,k] is 1 if superpixel k is visible in masked
    image n, and 0 in half of the cases; w[n] = exp( -(1 - sqrt(mean_k z[n,k]))^2 / width^2 / 2 ).

    Uses only the network's output. It explains parts, not pixels; the parts come from the colors of the image.
    """
    x = x.detach()
    result = torch.zeros_like(x[:, 0])
    with torch.no_grad(), many_passes(net, x) as passes:
        for number, image in enumerate(x):
            labels, behind = superpixels_and_background(image, superpixels, hidden)
            visible = (Rng(seed).uniform(samples, int(labels.max()) + 1) < 0.5).double()
            visible[0] = 1  # the image itself
            report = partial_progress(progress, number, len(x))
            scores = scores_of_coalitions(net, image, score, visible, labels, behind, passes.size, report)
            weight = (-((1 - visible.mean(dim=1).sqrt()) ** 2) / width**2 / 2).exp()
            result[number] = ridge(visible, scores, weight, penalty).to(x)[labels]
    return result


def ridge(inputs: Tensor, outputs: Tensor, weight: Tensor, penalty: float) -> Tensor:
    """Return b (M,) that minimizes sum_n w[n] (a + inputs[n].b - outputs[n])^2 + penalty |b|^2 for the best a."""
    share = weight / weight.sum()
    inputs, outputs = inputs - share @ inputs, outputs - share @ outputs
    square = inputs.T @ (weight[:, None] * inputs) + penalty * torch.eye(inputs.shape[1]).to(inputs)
    found: Tensor = torch.linalg.lstsq(square, inputs.T @ (weight * outputs), driver="gelsd").solution
    return found
