"""Recipro-CAM (Byun & Lee, 2022)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..acceleration.partial_forward import partial_forward
from ..registry import method
from ..runtime.batching import batch_size, batches
from ..runtime.progress import Progress
from ..scores import Score, probabilities
from ..tape import add_note, score_of


@method(
    "Recipro-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2209.14074",
    reads="The highlighted region is evidence for {label}{where}: the feature maps of one such place alone give a "
    "high score.",
    caution="Each place is judged alone, so evidence that needs several places is missed. The heatmap is only as "
    "fine as the cells of its layer.",
)
def recipro_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    window: Annotated[
        Literal["3 x 3", "1 x 1", "3 x 3 copies"],
        "What stays of the feature maps: a Gaussian window of 3 x 3 cells (as in the paper), a single cell, or copies "
        "of the cell under the window (as in the authors' code)",
    ] = "3 x 3",
    measure: Annotated[
        Literal["class probability", "score"], "Value of a place: the class probability (as in the paper) or the score"
    ] = "class probability",
    progress: Progress | None = None,
) -> Tensor:
    """Evidence for the class at a layer: the score that the feature maps of each place give on their own.

    map[i,j] = s[i,j] - min s, s[i,j] = S( A * W[i,j] ), (B, h, w)

    A: the feature maps; W[i,j]: a window around place i,j: 1/4 at its center, 1/8 beside it, 1/16 at its corners. With
    copies, all cells of the window hold the values of place i,j. S: the class probability, or the score.

    Needs no gradient and only the layers above; takes one partial forward pass for each place, whatever the number of
    channels, so it is quick at a deep layer.
    """
    maps = []
    for done, image in enumerate(x.chunk(len(x))):
        rest = partial_forward(net, image, layer)
        score_of(score, rest.scores)
        windows = windows_of(rest.activation, window)
        cells = rest.activation[0].flatten(1).T[:, :, None, None]  # (h * w, c, 1, 1)
        found = windows.new_empty(len(windows))

        def report(count: int, total: int, done: int = done) -> None:
            if progress:
                progress(done * total + count, len(x) * total)

        for part in batches(len(windows), batch_size(rest.work, x.device, rest.activation.nbytes, largest=32), report):
            scores = rest((cells[part] if window == "3 x 3 copies" else rest.activation) * windows[part])
            found[part] = score_of(score, scores if measure == "score" else probabilities(scores))
        maps.append((found - found.min()).view(rest.activation.shape[2:]))
    add_note("The part of the network above the layer ran once for each place of the layer.")
    return torch.stack(maps)


def windows_of(activation: Tensor, window: str) -> Tensor:
    """Return the window around each place of the feature maps (1, c, h, w), row by row: (h * w, 1, h, w)."""
    height, width = activation.shape[2:]
    sides = []
    for length in (height, width):
        side = torch.eye(length, dtype=activation.dtype, device=activation.device)
        if window != "1 x 1":
            side = side / 2 + (side.diag()[1:].diag(1) + side.diag()[1:].diag(-1)) / 4
        sides.append(side)
    return torch.einsum("ik,jl->ijkl", *sides).reshape(height * width, 1, height, width)
