"""Score-CAM (Wang et al., CVPR workshops 2020)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..perturbation.masked_scores import masked_cam
from ..registry import method
from ..runtime.progress import Progress
from ..scores import Score, probabilities
from ..tape import score_of


@method(
    "Score-CAM",
    family="cam",
    paper="https://arxiv.org/abs/1910.01279",
    reads="The highlighted region is evidence for {label}{where}: its feature maps give the highest scores "
    "when only their places stay visible.",
    caution="Masked images are unlike the training images, and a few feature maps may decide the whole heatmap. "
    "It is only as fine as the cells of its layer.",
)
def score_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    weighting: Annotated[
        Literal["channel softmax", "class probability"], "The paper's softmax over channels, or the class probability"
    ] = "channel softmax",
    progress: Progress | None = None,
) -> Tensor:
    """Evidence for the class at a layer: each feature map is weighted by the score of the image masked by it.

    M[c] = minmax( upsampled(A[c]) );  s[c] = S(x * M[c]) - S(0);  w = softmax_c s;  map = relu( sum_c w[c] * A[c] )

    Needs no gradient, so nothing saturates; takes one forward pass for each channel. Constant channels are left out.
    """
    softmax = weighting == "channel softmax"
    return masked_cam(
        net,
        x,
        layer,
        read=lambda output: score_of(score, output if softmax else probabilities(output)),
        weigh=lambda scores: scores.softmax(dim=0) if softmax else scores,
        progress=progress,
    )
