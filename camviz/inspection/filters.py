"""The filters of a network's first convolution, as images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..models import Model
from ..models.channels import RGB_CHANNELS
from ..tape import observe
from .summary import blank


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters (n, 3, h, w) of the convolution of that dotted name, which takes the image."""

    name: str
    weights: NDArray[np.float32]

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """The filters in color, (n, h, w, 3), on one scale with zero as mid-gray.

        value = 127.5 * (1 + weight / max |weight|), the maximum over all filters and colors.
        """
        largest = float(np.abs(self.weights).max()) or 1.0
        scaled: NDArray[np.uint8] = np.rint(127.5 * (1 + self.weights.transpose(0, 2, 3, 1) / largest)).astype(np.uint8)
        return scaled


def first_filters(model: Model) -> Filters | None:
    """Return the filters of the first convolution that runs; None if it does not take three colors."""
    names = {module: name for name, module in model.net.named_modules()}
    found: list[nn.Conv2d] = []

    def see(module: nn.Module, _: Any) -> None:
        if isinstance(module, nn.Conv2d):
            found.append(module)

    observe(model.net, blank(model), see)
    if model.input_channels != RGB_CHANNELS or not found or found[0].weight.shape[1] != 3 or found[0].groups != 1:
        return None
    return Filters(names[found[0]], found[0].weight.detach().to("cpu", torch.float32).numpy())
