"""Model: a network with all that is needed to show it a picture and to name what it says."""

import operator
from dataclasses import dataclass, field
from typing import Literal, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..errors import CamvizError, unknown
from ..images import ImageSource, decode_image
from ..messages import Message, listed
from ..tape import forward
from .channels import RGB_CHANNELS, Channel, in_colors, seen, shown, to_gray
from .geometry import Fit, Geometry
from .layers import Layer
from .preprocessing import Preprocess, run
from .weights import Weights

Head = Literal["softmax", "sigmoid"]


@dataclass(frozen=True)
class Prediction:
    """One class with the probability that the network gives it."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class Model:
    """A network in eval mode with frozen parameters, its classes, its layers and its own way to see a picture.

    `bands`, `mean` and `std` are one for each input channel. `head`: how its scores become probabilities, "softmax"
    (they share 1 among them) or "sigmoid" (each class is asked by itself).
    """

    name: str
    title: str
    weights: Weights
    net: nn.Module = field(repr=False)
    categories: tuple[str, ...] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)
    default_layer: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    geometry: Geometry
    device: torch.device
    bands: tuple[Channel, ...] = RGB_CHANNELS
    head: Head = "softmax"
    transform: Preprocess | None = field(default=None, repr=False)

    @property
    def key(self) -> tuple[str, Weights, str]:
        """What tells this model from every other one of this process: name, weights and device."""
        return self.name, self.weights, str(self.device)

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of what the network sees."""
        return self.geometry.size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the network's input."""
        return len(self.bands), *self.geometry.size

    @property
    def stages(self) -> int:
        """How many steps of down-sampling the layers take."""
        return max((layer.stage for layer in self.layers), default=0)

    def preprocess(self, image: ImageSource, fit: Fit = "crop") -> Tensor:
        """The network's input (1, C, H, W) on its device: `view`, normalized, and nothing else."""
        return self.normalize(self.view(image, fit))

    def normalize(self, view: NDArray[np.uint8]) -> Tensor:
        """The network's input (1, C, H, W) on its device, of what it sees (H, W, 3)."""
        pixels = seen(view, self.bands)
        mean, std = self._scale()
        dtype = next((parameter.dtype for parameter in self.net.parameters()), torch.float32)
        return ((pixels - mean) / std)[None].to(self.device, dtype)

    def view(self, image: ImageSource, fit: Fit = "crop") -> NDArray[np.uint8]:
        """The picture that the network sees, RGB (H, W, 3), gray where it sees no colors.

        `fit`: "crop" as the weights were trained, "pad" the whole picture on the mean color (zero for the
        network, to the nearest gray level), "stretch" both sides straight to the input's size.
        """
        decoded = decode_image(image)
        known = decoded.views.setdefault(self, {})
        if fit not in known:
            known[fit] = self._view(decoded.pixels, fit)
        return known[fit]

    def _view(self, picture: Image.Image, fit: Fit) -> NDArray[np.uint8]:
        mean, _ = self._scale()
        if self.transform is not None and fit == "crop":
            return self.seen_in(run(self.transform, picture))
        red, green, blue = shown(mean, self.bands)[0, 0].tolist()
        found = np.array(self.geometry.apply(picture, fit, fill=(red, green, blue)))
        return shown(seen(found, self.bands), self.bands) if to_gray(self.bands) else found

    def seen_in(self, x: Tensor) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that an input (C, H, W) is of."""
        mean, std = self._scale()
        return shown(x.detach().cpu() * std + mean, self.bands)

    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, each (C, 1, 1)."""
        mean, std = (torch.tensor(values, device="cpu").view(-1, 1, 1) for values in (self.mean, self.std))
        return mean, std

    def probabilities(self, scores: Tensor) -> Tensor:
        """The class scores (B, K) as probabilities, (B, K)."""
        return scores.softmax(dim=1) if self.head == "softmax" else scores.sigmoid()

    def in_colors(self, attribution: Tensor) -> Tensor:
        """A map (B, h, w) as it is; an attribution of the input's channels (B, C, H, W) as one of red, green and blue.

        A gray channel's part is shared among the three; a black one's is left out.
        """
        return attribution if attribution.ndim == 3 else in_colors(attribution, self.bands)

    def predict(self, image: ImageSource, k: int = 5, fit: Fit = "crop") -> tuple[Prediction, ...]:
        """The `k` most probable classes, best first."""
        if k < 1:
            raise CamvizError("the number of predictions must be at least 1; got {k}", k=k)
        with torch.no_grad():
            probabilities = self.probabilities(forward(self.net, self.preprocess(image, fit)))[0]
        best = probabilities.sort(descending=True, stable=True)
        return tuple(
            Prediction(index, self.categories[index], value)
            for index, value in zip(best.indices[:k].tolist(), best.values[:k].tolist(), strict=True)
        )

    def layer(self, name: str) -> Layer:
        """The layer of that dotted name. Raises CamvizError, offering the nearest."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown(Message("layer"), name, [layer.name for layer in self.layers], self.name)

    def module(self, name: str) -> nn.Module:
        """The module of the layer of that name. Raises CamvizError, offering the nearest."""
        return self.net.get_submodule(self.layer(name).name)

    def class_index(self, target: str | SupportsIndex) -> int:
        """The index of a class given by its label (in any case) or by its index. Raises CamvizError."""
        if not isinstance(target, str):
            index = operator.index(target)
            if not 0 <= index < len(self.categories):
                raise CamvizError(
                    "{name} has the classes 0 to {last}; got {index}",
                    name=self.name,
                    last=len(self.categories) - 1,
                    index=index,
                )
            return index
        for same in (str.__eq__, lambda one, other: one.lower() == other.lower()):
            found = [index for index, label in enumerate(self.categories) if same(label, target)]
            if len(found) > 1:
                raise CamvizError(
                    "the label '{target}' stands for the classes {classes}; give the number",
                    target=target,
                    classes=listed([str(index) for index in found]),
                )
            if found:
                return found[0]
        raise unknown(Message("class"), target, self.categories, self.name)
