"""IS-CAM (Naidu et al., 2020)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ..perturbation.masked_scores import masked_cam
from ..registry import Range, method
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import score_of


@method(
    "IS-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2010.03023",
    reads="The highlighted region is evidence for {label}{where}: its feature maps give the highest scores "
    "when only their places stay visible, averaged over masks of increasing strength.",
    caution="Weakly and strongly masked images count alike, although most of them are unlike the training "
    "images. The heatmap is only as fine as the cells of its layer.",
)
def is_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    steps: Annotated[int, Range(1, 100), "Number of strengths of each mask"] = 10,
    path: Annotated[
        Literal["summed", "even"],
        "Cumulative strengths as in the paper, or equal steps up to 1 as in integrated gradients",
    ] = "summed",
    progress: Progress | None = None,
) -> Tensor:
    """Score-CAM with the score of each feature map averaged over masks of increasing strength.

    s[c] = mean_i S( x * t[i] * M[c] );  w = softmax_c s;  map = relu( sum_c w[c] * A[c] ), (B, h, w)

    M[c] = minmax( upsampled(A[c]) ), i = 1..N; summed: t[i] = sum_{j <= i} j / N, even: t[i] = i / N.

    Depends less on a single masked image than Score-CAM; costs `steps` times as much.
    """
    strength = torch.arange(1, steps + 1, dtype=x.dtype, device=x.device) / steps
    if path == "summed":
        strength = strength.cumsum(dim=0)

    return masked_cam(
        net,
        x,
        layer,
        read=lambda output: score_of(score, output),
        weigh=lambda scores: scores.softmax(dim=0),
        times=steps,
        alter=lambda masks, passes: masks * strength[[p % steps for p in passes]][:, None, None, None],
        progress=progress,
    )
