"""Class activation mapping (Zhou et al., CVPR 2016)."""

import torch
from torch import Tensor, nn

from ..errors import MethodError
from ..registry import method
from ..scores import Score
from ..tape import activations, reading_of, score_gradient, usual_modes


@method(
    "CAM",
    family="cam",
    paper="https://arxiv.org/abs/1512.04150",
    requires="only average pooling and one linear layer after the layer",
    reads="The highlighted region is evidence for {label}{where}, by the weights of the last layer.",
    caution="Each place depends on a large part of the image, so what the model responds to may lie beside it. "
    "The heatmap is only as fine as the cells of its layer.",
)
@usual_modes()
def cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> Tensor:
    """Contribution of each place of the last feature maps to the class score, by the weights of the last layer.

    map[b,h,w] = sum_c w[b,c] * A[b,c,h,w], with w[b] = sum_k dS_b/dz[b,k] * W[k], signed, (B, h, w)

    z = W mean_hw(A) + bias are the class scores; for S = z[k], w is W[k], and the map's mean is S less the bias.

    Exact, but defined only for a layer followed by average pooling and one linear layer; Grad-CAM generalizes it.
    """
    activation, scores = activations(net, x, layer)
    weight = score_gradient(score, scores) @ classifier(net, activation.mean(dim=(2, 3)), scores)
    return torch.einsum("bc,bchw->bhw", weight, activation)


def classifier(net: nn.Module, pooled: Tensor, scores: Tensor) -> Tensor:
    """Return the weights (K, c) of the module that computes the class scores (B, K) from the pooled maps (B, c)."""
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and module.weight[0].numel() == pooled.shape[1]:
            weight = module.weight.detach().flatten(1)
            bias = torch.zeros(len(weight)).to(weight) if module.bias is None else module.bias.detach()
            if (reading := reading_of(net)) and reading.two_answers:
                weight, bias = torch.cat([-weight, weight]), torch.cat([-bias, bias])
            if len(weight) == scores.shape[1] and _close(pooled @ weight.T + bias, scores):
                return weight
    raise MethodError(
        "CAM needs a layer that is followed only by average pooling and one linear layer; "
        "use Grad-CAM at this layer of this network"
    )


def _close(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-4 * other.abs().max())
