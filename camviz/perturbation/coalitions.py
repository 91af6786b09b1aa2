"""Scores of images with only some visible superpixels, for LIME and KernelSHAP."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ..acceleration.memory_layout import in_fastest_layout
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import forward, score_of
from .superpixels import segments_of

Hidden = Literal["mean color", "own color"]
HIDDEN_HELP = "Color of hidden superpixels: the mean color of the training images, or that of the superpixel itself"


def scores_of_masks(
    net: nn.Module,
    image: Tensor,
    score: Score,
    masks: Callable[[range], Tensor],
    count: int,
    size: int,
    progress: Progress | None,
    behind: Tensor | None = None,
) -> Tensor:
    """Return the score of an image (C, H, W) under each of `count` masks, (count,); `size` of them in a batch.

    `masks(numbers)` returns masks (n, 1, H, W) of 0 to 1. Where they are 0, the image is `behind`, or 0.
    """
    found = image.new_empty(count)
    for part in batches(count, size, progress):
        mask = masks(range(part.start, part.stop))
        masked = image * mask if behind is None else behind + (image - behind) * mask
        found[part] = score_of(score, forward(net, in_fastest_layout(masked)))
    return found


def superpixels_and_background(image: Tensor, count: int, hidden: Hidden) -> tuple[Tensor, Tensor]:
    """Return the superpixels of an image (C, H, W) as numbers (H, W), and the image of hidden ones, (C, H, W)."""
    labels = segments_of(image, count)
    if hidden == "mean color":
        return labels, torch.zeros_like(image)
    sizes = labels.flatten().bincount().to(image)
    sums = torch.zeros(len(image), len(sizes), dtype=image.dtype, device=image.device)
    sums.index_add_(1, labels.flatten(), image.flatten(1))
    return labels, (sums / sizes)[:, labels]


def scores_of_coalitions(
    net: nn.Module,
    image: Tensor,
    score: Score,
    visible: Tensor,
    labels: Tensor,
    behind: Tensor,
    size: int,
    progress: Progress | None,
) -> Tensor:
    """Return the score with only some superpixels visible, (N,) in float64 on the CPU; `visible` (N, M) is 0 or 1."""
    rows = visible.to(image)

    def masks(numbers: range) -> Tensor:
        return rows[numbers.start : numbers.stop][:, labels][:, None]

    return scores_of_masks(net, image, score, masks, len(rows), size, progress, behind).cpu().double()
