"""Class activation mapping (Zhou et al., CVPR 2016)."""

import torch
from torch import Tensor, nn

from ..errors import CamvizError
from ..registry import method
from ..scores import Score
from ..tape import activations, score_gradient


@method(
    "CAM",
    family="cam",
    paper="https://arxiv.org/abs/1512.04150",
    requires="nothing but average pooling and one linear layer above the layer",
)
def cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Contribution of each place of the last feature maps to the class score, by the weights of the last layer.

    map[b,h,w] = sum_c w[b,c] * A[b,c,h,w], with w[b] = sum_k dS_b/dz[b,k] * W[k], signed, (B, h, w)

    z = W mean_hw(A) + bias are the class scores; for S = z[k], w is W[k], and the map's mean is S less the bias.

    Exact, not an estimate, but only right below average pooling and one linear layer; Grad-CAM is its generalization.
    """
    activation, scores = activations(net, x, layer)
    weight = score_gradient(score, scores) @ classifier(net, activation.mean(dim=(2, 3)), scores)
    return torch.einsum("bc,bchw->bhw", weight, activation)


def classifier(net: nn.Module, pooled: Tensor, scores: Tensor) -> Tensor:
    """The weights (K, c) of the module that makes the class scores (B, K) of the pooled maps (B, c)."""
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight[0].numel() == pooled.shape[1]:
            weight = module.weight.detach().flatten(1)
            bias = 0 if module.bias is None else module.bias.detach()
            if len(weight) == scores.shape[1] and _close(pooled @ weight.T + bias, scores):
                return weight
    raise CamvizError(
        "CAM needs a layer that only average pooling and one linear layer separate from the class scores; "
        "at this layer of this network choose Grad-CAM, which does without"
    )


def _close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-4 * other.abs().max())
