"""SS-CAM (Wang et al., 2020)."""

from typing import Annotated

from torch import Tensor, nn

from ..perturbation.masked_scores import masked_cam
from ..registry import Range, method
from ..runtime.noise import normal_noise
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import score_of


@method(
    "SS-CAM",
    family="cam",
    paper="https://arxiv.org/abs/2006.14255",
    reads="The highlighted region is evidence for {label}{where}: its feature maps give the highest scores "
    "when only their places stay visible, averaged over noisy masks.",
    caution="The noise makes the masked images unlike the training images, and another seed gives another "
    "heatmap. It is only as fine as the cells of its layer.",
)
def ss_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    samples: Annotated[int, Range(1, 100), "Number of noisy masks for each feature map"] = 35,
    noise: Annotated[float, Range(0, 5, 0.1), "Standard deviation of the noise, for masks from 0 to 1"] = 2.0,
    seed: Annotated[int, Range(0, 2**31 - 1), "Seed of the noise: the same seed gives the same map"] = 0,
    progress: Progress | None = None,
) -> Tensor:
    """Score-CAM with the score of each feature map averaged over noisy masks.

    s[c] = mean_i S( x * (M[c] + noise * n[i]) );  w = softmax_c s;  map = relu( sum_c w[c] * A[c] ), (B, h, w)

    M[c] = minmax( upsampled(A[c]) ); n[i] is drawn from a normal distribution for each pixel. This is the paper's
    second variant; the first adds the noise to A[c].

    Smoother than Score-CAM; costs `samples` times as much.
    """

    def noisy(masks: Tensor, passes: range) -> Tensor:
        return masks + noise * normal_noise(seed, passes, masks.shape[1:], masks)

    return masked_cam(
        net,
        x,
        layer,
        read=lambda output: score_of(score, output),
        weigh=lambda scores: scores.softmax(dim=0),
        times=samples,
        alter=noisy,
        progress=progress,
    )
