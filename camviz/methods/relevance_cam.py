"""Relevance-CAM (Lee et al., CVPR 2021)."""

from typing import Annotated

from torch import Tensor, nn

from ..registry import method
from ..relevance.propagation import propagating
from ..relevance.rules import AlphaBeta, Composite
from ..scores import Score
from ..tape import isolated, record, score_gradient


@method(
    "Relevance-CAM",
    family="cam",
    paper="https://openaccess.thecvf.com/content/CVPR2021/html/Lee_Relevance-CAM_Your_Model_Already_Knows_Where_To_Look_CVPR_2021_paper.html",
    reads="The highlighted region is evidence for {label}{where}: its feature maps receive most relevance.",
    caution="The relevance is distributed by a rule that was chosen by hand. The heatmap is only as fine as the cells "
    "of its layer.",
)
@isolated
def relevance_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    contrastive: Annotated[bool, "Subtract the relevance of the other classes, as in the paper"] = True,
) -> Tensor:
    """Evidence for the class at a layer: its feature maps, weighted by the relevance that reaches them.

    w[b,c] = sum_hw R[b,c,h,w];  map[b,h,w] = relu( sum_c w[b,c] * A[b,c,h,w] ), (B, h, w)

    R: the relevance at the layer by the z-plus rule. It starts as z[k] dS/dz[k] at the class scores z; contrastive: the
    classes that S does not depend on share minus its sum.

    Meant for early layers, where gradients are noisy: relevance has little noise there.
    """
    plus = AlphaBeta(1)
    with propagating(Composite(plus, plus, plus)):
        activation, relevance = record(net, x, start_of(score, contrastive), layer)
    weight = relevance.sum(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1).relu()


def start_of(score: Score, contrastive: bool) -> Score:
    """Return a score whose gradient at the class scores is the relevance at which the propagation starts."""

    def explained(scores: Tensor) -> Tensor:
        slope = score_gradient(score, scores)
        start = scores.detach() * slope
        if contrastive:
            others = slope == 0
            share = start.sum(dim=1, keepdim=True) / others.sum(dim=1, keepdim=True).clamp(min=1)
            start = start - share * others
        return (scores * start).sum(dim=1)

    return explained
