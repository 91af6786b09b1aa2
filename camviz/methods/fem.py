"""FEM, the feature-based explanation method (Fuad et al., IPTA 2020)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from ..registry import Range, method
from ..scores import Score
from ..tape import activations, score_of, usual_modes


@method(
    "FEM",
    family="cam",
    paper="https://hal.science/hal-02963298",
    class_specific=False,
    reads="The highlighted region holds the rare and strong activations of the feature maps{where}.",
    caution="It shows where the layer responds strongly, whether or not this matters for the prediction.",
)
@usual_modes()
def fem(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    deviations: Annotated[
        float, Range(0, 5, 0.1), "Standard deviations above its mean from which an activation counts as strong"
    ] = 2.0,
    weighting: Annotated[
        Literal["strong places", "feature maps"],
        "Sum of the strong places, weighted by the mean activation (as in the paper), or of the feature maps, weighted "
        "by their share of strong places",
    ] = "strong places",
) -> Tensor:
    """Where the feature maps are unusually strong, whatever the class.

    map[b,h,w] = sum_c mu[b,c] * B[b,c,h,w], B = [ A > mu + k * sigma ], (B, h, w)

    mu, sigma: mean and standard deviation of a feature map over its n places. sigma divides by n, as in the authors'
    code; n - 1 would change the map by up to 20%. "feature maps" is the variant of the package grad-cam: sum_c
    mean_hw(B[b,c]) * A[b,c].

    Needs one forward pass and no gradient, so it works where gradients vanish. It is the same for every class, so it
    explains none of them.
    """
    activation, scores = activations(net, x, layer)
    score_of(score, scores)  # refuses a class that does not exist, although the map is the same for every class
    mean = activation.mean(dim=(2, 3), keepdim=True)
    sigma = activation.std(dim=(2, 3), keepdim=True, correction=0)
    strong = (activation > mean + deviations * sigma).to(x.dtype)
    if weighting == "feature maps":
        return (strong.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1)
    return (mean * strong).sum(dim=1)
