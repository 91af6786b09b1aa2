"""Model: a network with its classes, its layers and the preprocessing of its input."""

import math
import operator
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..errors import CamvizError, UnknownNameError, unknown
from ..images import ImageSource, decode_image
from ..messages import Message, listed
from ..runtime.rng import SeededOperations
from ..tape import scores_through, usual_modes
from ..text import shown_answer
from .channels import RGB_CHANNELS, Channel, in_colors, is_gray, to_channels, to_image
from .checkpoints.weights import Weights
from .custom.reading import Head
from .geometry import Fit, Geometry, check_fit
from .layers import Layer
from .preprocessing import Preprocess, run


@dataclass(frozen=True)
class Prediction:
    """One class with its predicted probability; NaN for a network that returns a `value`, such as a regression."""

    index: int
    label: str
    probability: float
    value: float = math.nan
    unit: str = ""

    def shown(self, decimals: Literal[0, 1] = 1) -> str:
        """Return the probability as a percentage, or the value with its unit."""
        return shown_answer(self.probability, self.value, self.unit, decimals)


@dataclass(frozen=True, eq=False)
class Model:
    """A network in eval mode with frozen parameters, its classes, its layers and its preprocessing.

    `input_channels`, `mean` and `std` have one entry for each input channel. `head` turns scores into probabilities:
    "softmax" (they sum to 1), "sigmoid" (each class independently) or "none" (the network's own output is the answer).
    Without `has_probabilities` the answer is a number in `unit`, as in a regression. `notes` are sentences about the
    network that belong to every result. `draws_random_numbers`: two passes of one image differ unless they run in
    `running()`.
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
    input_channels: tuple[Channel, ...] = RGB_CHANNELS
    head: Head = "softmax"
    has_probabilities: bool = True
    unit: str = ""
    transform: Preprocess | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    draws_random_numbers: bool = False

    @property
    def key(self) -> tuple[str, Weights, str]:
        """Name, weights and device, which identify this model in this process."""
        return self.name, self.weights, str(self.device)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Leave inference mode and autocast inside the context, and seed the random numbers of the network."""
        with usual_modes(), SeededOperations() if self.draws_random_numbers else nullcontext():
            yield

    @property
    def input_size(self) -> tuple[int, int]:
        """The (height, width) of the network's input."""
        return self.geometry.size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The (channels, height, width) of the network's input."""
        return len(self.input_channels), *self.geometry.size

    @property
    def stages(self) -> int:
        """The number of resolutions among the layers."""
        return max((layer.stage for layer in self.layers), default=0)

    def preprocess(self, image: ImageSource, fit: Fit = "crop") -> Tensor:
        """Return the network's input (1, C, H, W) on its device: `view`, normalized."""
        return self.normalize(self.view(image, fit))

    def normalize(self, view: NDArray[np.uint8]) -> Tensor:
        """Return the network's input (1, C, H, W) on its device for a view (H, W, 3)."""
        pixels = to_channels(view, self.input_channels)
        mean, std = self._scale()
        dtype = next((parameter.dtype for parameter in self.net.parameters()), torch.float32)
        return ((pixels - mean) / std)[None].to(self.device, dtype)

    def view(self, image: ImageSource, fit: Fit = "crop") -> NDArray[np.uint8]:
        """Return the image as the network receives it: RGB (H, W, 3), gray if the network has no color channel.

        `fit`: "crop" as in the training of the weights, "pad" = the whole image on the mean color (zero after
        normalization, up to rounding), "stretch" = the whole image resized to the input size.
        """
        decoded = decode_image(image)
        known = decoded.views.setdefault(self, {})
        fit = check_fit(fit)
        if fit not in known:
            known[fit] = self._view(decoded.pixels, fit)
        return known[fit]

    def original_view(self, image: ImageSource, fit: Fit = "crop", longest: int = 1024) -> Image.Image:
        """Return the part of the image that `view` shows, RGB, at its original resolution up to `longest` a side.

        With a custom preprocessing function or padding, it is `view` itself.
        """
        decoded = decode_image(image)
        if self.transform is not None or fit == "pad":
            return Image.fromarray(self.view(decoded, fit))
        left, top, right, bottom = box = self.geometry.box(*decoded.pixels.size, fit)
        height, width = self.input_size
        scale = min(longest / max(height, width), max((right - left) / width, (bottom - top) / height, 1))
        shown = decoded.pixels.resize((round(width * scale), round(height * scale)), box=box)
        return shown.convert("L").convert("RGB") if is_gray(self.input_channels) else shown

    def _view(self, image: Image.Image, fit: Fit) -> NDArray[np.uint8]:
        mean, _ = self._scale()
        if self.transform is not None and fit == "crop":
            return self.denormalize(run(self.transform, image))
        red, green, blue = to_image(mean, self.input_channels)[0, 0].tolist()
        view = np.array(self.geometry.apply(image, fit, fill=(red, green, blue)))
        gray = is_gray(self.input_channels)
        return to_image(to_channels(view, self.input_channels), self.input_channels) if gray else view

    def denormalize(self, x: Tensor) -> NDArray[np.uint8]:
        """Return the RGB image (H, W, 3) of an input (C, H, W)."""
        mean, std = self._scale()
        return to_image(x.detach().cpu() * std + mean, self.input_channels)

    def _scale(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each (C, 1, 1)."""
        mean, std = (torch.tensor(values, device="cpu").view(-1, 1, 1) for values in (self.mean, self.std))
        return mean, std

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities (B, K) of class scores (B, K); with the head "none" the unchanged scores."""
        if self.head == "none":
            return scores
        return scores.softmax(dim=1) if self.head == "softmax" else scores.sigmoid()

    def in_colors(self, attribution: Tensor) -> Tensor:
        """Return an attribution of the input channels (B, C, H, W) as one of red, green and blue.

        A gray channel's attribution is divided equally among the three; a black channel's is left out. A map (B, h, w)
        is returned unchanged.
        """
        return attribution if attribution.ndim == 3 else in_colors(attribution, self.input_channels)

    def predict(self, image: ImageSource, k: int = 5, fit: Fit = "crop") -> tuple[Prediction, ...]:
        """Return the `k` most probable classes, best first."""
        try:
            count = 0 if isinstance(k, bool | np.bool_) else operator.index(k)
        except TypeError:
            count = 0
        if count < 1:
            raise CamvizError("the number of predictions must be a whole number, at least 1; got {k}", k=repr(k)[:60])
        layer = self.net.get_submodule(self.default_layer) if self.default_layer else None
        with self.running():
            probabilities = self.probabilities(scores_through(self.net, self.preprocess(image, fit), layer))[0]
        best = probabilities.sort(descending=True, stable=True)
        return tuple(
            self.prediction(index, value)
            for index, value in zip(best.indices[:count].tolist(), best.values[:count].tolist(), strict=True)
        )

    def prediction(self, index: int, answer: float) -> Prediction:
        """Return the prediction of a class with this entry in `probabilities`."""
        if self.has_probabilities:
            return Prediction(index, self.categories[index], answer)
        return Prediction(index, self.categories[index], math.nan, answer, self.unit)

    def layer(self, name: str) -> Layer:
        """Return the layer of this dotted name. Raises CamvizError, which suggests the nearest name."""
        for layer in self.layers:
            if isinstance(name, str) and layer.name == name:
                return layer
        raise unknown(Message("layer"), str(name)[:60], [layer.name for layer in self.layers], self.name)

    def module(self, name: str) -> nn.Module:
        """Return the module of the layer of this name. Raises CamvizError, which suggests the nearest name."""
        return self.net.get_submodule(self.layer(name).name)

    def class_index(self, target: str | SupportsIndex) -> int:
        """Return the index of a class, given by its label (case is ignored) or its index. Raises CamvizError."""
        if not isinstance(target, str):
            try:
                index = operator.index(target)
            except TypeError:
                index = -1
            if isinstance(target, bool | np.bool_) or not isinstance(target, SupportsIndex):
                raise CamvizError("a class is an index or a label; got {target}", target=repr(target)[:60])
            if not 0 <= index < len(self.categories):
                raise UnknownNameError(
                    "{name} has the classes 0 to {last}; got {index}",
                    name=self.name,
                    last=len(self.categories) - 1,
                    index=index,
                )
            return index
        for same in (str.__eq__, lambda one, other: one.lower() == other.lower()):
            found = [index for index, label in enumerate(self.categories) if same(label, target)]
            if len(found) > 1:
                raise UnknownNameError(
                    "the label '{target}' stands for the classes {classes}; give the index of one of them",
                    target=target,
                    classes=listed([str(index) for index in found]),
                )
            if found:
                return found[0]
        raise unknown(Message("class"), target, self.categories, self.name)
