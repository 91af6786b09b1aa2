"""The filters of a network's first convolution, as images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..models import Model
from ..models.channels import RGB_CHANNELS, Channel, is_gray
from ..tape import observe
from .summary import blank


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters (n, P, h, w) of the convolution of that dotted name, which takes the image.

    P: 3 for red, green and blue, 1 for gray.
    """

    name: str
    weights: NDArray[np.float32]

    @property
    def images(self) -> NDArray[np.uint8]:
        """The filters as RGB images, (n, h, w, 3), on one scale with zero as mid-gray.

        value = 127.5 * (1 + weight / max |weight|), the maximum over all filters and colors.
        """
        largest = float(np.abs(self.weights).max()) or 1.0
        scaled: NDArray[np.uint8] = np.rint(127.5 * (1 + self.weights.transpose(0, 2, 3, 1) / largest)).astype(np.uint8)
        return np.broadcast_to(scaled, (*scaled.shape[:3], 3)).copy()


def first_filters(model: Model) -> Filters | None:
    """Return the filters of the first convolution that runs; None if its channels are no image.

    Channels are shown in their own color; a color without a channel is zero, mid-gray; black channels are left out.
    """
    names = {module: name for name, module in model.net.named_modules()}
    found: list[nn.Conv2d] = []

    def see(module: nn.Module, _: Any) -> None:
        if isinstance(module, nn.Conv2d):
            found.append(module)

    observe(model.net, blank(model), see)
    channels = model.input_channels
    if not found or found[0].weight.shape[1] != len(channels) or found[0].groups != 1:
        return None
    weights = found[0].weight.detach().to("cpu", torch.float32)
    colors: tuple[Channel, ...] = ("gray",) if is_gray(channels) else RGB_CHANNELS
    if any(channels.count(color) > 1 for color in set(channels) - {"black"}) or not set(channels) <= {*colors, "black"}:
        return None
    planes = [weights[:, channels.index(color)] if color in channels else 0 * weights[:, 0] for color in colors]
    return Filters(names[found[0]], torch.stack(planes, dim=1).numpy())
