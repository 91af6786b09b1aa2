"""A network as a differentiable function of images in [0, 1]: phi in the papers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..tape import forward, replacing_output


@dataclass(frozen=True, eq=False)
class FeatureFunction:
    """The activations and class scores of a network for images (1, P, H, W) in [0, 1], normalized by `mean` and `std`.

    `size` is the (height, width) of the network's input. P: 3 for red, green and blue, 1 for gray. For a network with
    other channels, `to_input` computes and normalizes them.
    """

    net: nn.Module = field(repr=False)
    size: tuple[int, int]
    mean: Tensor
    std: Tensor
    to_input: Callable[[Tensor], Tensor] | None = field(default=None, repr=False)
    runs: dict[nn.Module, int] = field(default_factory=dict, repr=False)

    def __call__(self, image: Tensor, layer: nn.Module | None = None) -> Tensor:
        """Return the activation of `layer` (1, c, h, w), or the class scores (1, K) without one.

        The forward pass ends after the layer. If a layer runs several times, its last run counts.
        """
        x = self.normalized(image)
        try:
            return forward(self.net, x) if layer is None else self._activation(x, layer)
        except RuntimeError as error:
            if image.shape[2:] == self.size:
                raise
            raise ModelError(
                "this network takes only images of {height} x {width} pixels, not of "
                "{image_height} x {image_width}; set octaves to 1",
                height=self.size[0],
                width=self.size[1],
                image_height=image.shape[2],
                image_width=image.shape[3],
            ) from error

    def normalized(self, image: Tensor) -> Tensor:
        """Return the network's input: the image normalized by `mean` and `std`."""
        return (image - self.mean) / self.std if self.to_input is None else self.to_input(image)

    def _activation(self, x: Tensor, layer: nn.Module) -> Tensor:
        if layer not in self.runs:
            self.runs[layer] = self._count(x, layer)
        found: list[Tensor] = []

        def keep(activation: Tensor) -> Tensor:
            found.append(activation)
            if len(found) == self.runs[layer]:
                raise _LayerReached
            return activation.clone()  # what follows may overwrite its input

        try:
            with replacing_output(layer, keep):
                forward(self.net, x)
        except _LayerReached:
            return found[-1]
        raise ModelError(
            "the number of runs of this layer changes from image to image, so its activation is not defined: choose "
            "another layer"
        )

    def _count(self, x: Tensor, layer: nn.Module) -> int:
        times = 0

        def count(activation: Tensor) -> Tensor:
            nonlocal times
            times += 1
            return activation

        with replacing_output(layer, count), torch.no_grad():
            forward(self.net, x)
        return times


class _LayerReached(BaseException):
    """Ends a forward pass once the layer has run."""
