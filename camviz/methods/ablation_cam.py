"""Ablation-CAM (Desai & Ramaswamy, WACV 2020)."""

import torch
from torch import Tensor, nn

from ..acceleration.partial_forward import partial_forward
from ..registry import method
from ..runtime.batching import batch_size, batches
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import add_note, score_of


@method(
    "Ablation-CAM",
    family="cam",
    paper="https://openaccess.thecvf.com/content_WACV_2020/html/Desai_Ablation-CAM_Visual_Explanations_for_Deep_Convolutional_Network_via_Gradient-free_Localization_WACV_2020_paper.html",
    reads="The highlighted region is evidence for {label}{where}: without the feature maps that are active "
    "there the score drops most.",
    caution="They are removed one at a time, so what several feature maps do together is missed. The heatmap is "
    "only as fine as the cells of its layer.",
)
def ablation_cam(
    net: nn.Module, x: Tensor, score: Score, layer: nn.Module, *, progress: Progress | None = None
) -> Tensor:
    """Evidence for the class at a layer: each feature map is weighted by the drop of the score without it.

    w[b,c] = ( S_b - S_b without A[b,c] ) / |S_b|;  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), (B, h, w)

    "Without" sets the feature map to 0. The paper divides by S instead of |S|, which inverts the map if S < 0.

    Needs no gradient, so nothing saturates; takes one partial forward pass for each feature map.
    """
    maps = []
    for done in range(len(x)):
        rest = partial_forward(net, x[done : done + 1], layer)
        channels = rest.activation[0]
        whole = score_of(score, rest.scores)
        lost = torch.zeros_like(channels[:, 0, 0])
        alive = channels.flatten(1).any(dim=1).nonzero()[:, 0]  # removing a map of zeros changes nothing
        before = done * len(channels) + len(channels) - len(alive)

        def report(count: int, _: int, before: int = before, total: int = len(x) * len(channels)) -> None:
            if progress:
                progress(before + count, total)

        report(0, 0)
        for part in batches(len(alive), batch_size(rest.work, x.device, rest.activation.nbytes, largest=32), report):
            without = rest.activation.repeat(len(alive[part]), 1, 1, 1)
            without[torch.arange(len(without), device=x.device), alive[part]] = 0
            lost[alive[part]] = whole - score_of(score, rest(without))
        weight = lost / whole.abs().where(whole != 0, 1)
        maps.append((weight[:, None, None] * channels).sum(dim=0).relu())
    add_note("The part of the network above the layer ran once for each feature map that is not all zero.")
    return torch.stack(maps)
