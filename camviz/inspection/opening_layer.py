"""The layer at which the page Inspect opens: the deepest one whose feature maps differ in their maxima."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from ..errors import CamvizError
from ..tape import activations
from .feature_maps import Float

TOP = 24  # strongest feature maps that are compared
MOST_TIED = 0.25  # share of them that may reach the maximum of the strongest one


def tied_share(maps: Float) -> float:
    """Return the share of the 23 next strongest maps (c, h, w) that reach the maximum of the strongest one, to 0.1%.

    It is 1 after a saturated ReLU6, and if no map has a positive value.
    """
    strongest = np.sort(maps.max(axis=(1, 2)))[::-1][:TOP]
    if strongest[0] <= 0:
        return 1.0
    return float((strongest[1:] >= 0.999 * strongest[0]).mean()) if len(strongest) > 1 else 0.0


def opening_layer(net: nn.Module, x: Tensor, layers: Sequence[tuple[str, nn.Module]]) -> str:
    """Return the name of the deepest layer in which at most a quarter of the strongest maps share the maximum.

    x: one image (1, C, H, W); `layers`: names and modules in forward order. If all layers have too many ties, it is the
    deepest one.
    """
    for name, layer in reversed(layers):
        try:
            maps: Float = activations(net, x, layer)[0][0].float().cpu().numpy()
        except CamvizError:  # the network does not reach this layer with this image
            continue
        if tied_share(maps) <= MOST_TIED:
            return name
    return layers[-1][0]
