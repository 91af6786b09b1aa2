"""A network as a function of pictures in [0, 1] that can be differentiated, phi in the papers."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..errors import CamvizError
from ..tape import forward, replacing_output


@dataclass(frozen=True, eq=False)
class FeatureFunction:
    """What a network makes of pictures (1, 3, H, W) in [0, 1], which it wants normalized by `mean` and `std`.

    `size` is the (height, width) that it was trained for.
    """

    net: nn.Module = field(repr=False)
    size: tuple[int, int]
    mean: Tensor
    std: Tensor
    runs: dict[nn.Module, int] = field(default_factory=dict, repr=False)

    def __call__(self, picture: Tensor, layer: nn.Module | None = None) -> Tensor:
        """The activation of `layer` (1, c, h, w), or the class scores (1, K) without one.

        Nothing behind the layer is computed. A layer that runs several times counts at its last.
        """
        x = self.normalized(picture)
        try:
            return forward(self.net, x) if layer is None else self._activation(x, layer)
        except RuntimeError as error:
            if picture.shape[2:] == self.size:
                raise
            raise CamvizError(
                "this network takes only pictures of {height} x {width} pixels, not of "
                "{picture_height} x {picture_width}; set octaves to 1",
                height=self.size[0],
                width=self.size[1],
                picture_height=picture.shape[2],
                picture_width=picture.shape[3],
            ) from error

    def normalized(self, picture: Tensor) -> Tensor:
        """The picture in the network's own unit: 0 is the mean color, 1 a standard deviation off."""
        return (picture - self.mean) / self.std

    def _activation(self, x: Tensor, layer: nn.Module) -> Tensor:
        if layer not in self.runs:
            self.runs[layer] = self._count(x, layer)
        found: list[Tensor] = []

        def keep(activation: Tensor) -> Tensor:
            found.append(activation)
            if len(found) == self.runs[layer]:
                raise _Enough
            return activation.clone()  # what follows may overwrite its input

        try:
            with replacing_output(layer, keep):
                forward(self.net, x)
        except _Enough:
            return found[-1]
        raise CamvizError("the network's forward pass takes another way through this layer from picture to picture")

    def _count(self, x: Tensor, layer: nn.Module) -> int:
        times = 0

        def count(activation: Tensor) -> Tensor:
            nonlocal times
            times += 1
            return activation

        with replacing_output(layer, count), torch.no_grad():
            forward(self.net, x)
        return times


class _Enough(BaseException):
    """Ends a forward pass where nothing more of it is needed."""
