"""A question: one model, one image, one method, and every setting that determines the result."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..acceleration.many_passes import partial_progress
from ..edits.edit import Edit
from ..images import DecodedImage
from ..models import Model
from ..models.geometry import Fit
from ..registry import Method
from ..runtime.progress import Progress
from ..scores import Score
from ..targets import class_of, label_of

Fusion = Literal["mean", "max", "product"]


@dataclass(frozen=True, eq=False)
class Question:
    """Everything that determines the values of one explanation.

    `settings` has every setting of the method. `layers` are dotted names, none for a method without a layer; the maps
    of several are fused by `fusion`. `score` is None for the class that the model predicts. `edit` replaces a part of
    the view. `notes` are sentences for the answer, for example that a recipe was made with another version.
    """

    model: Model
    image: DecodedImage
    method: Method
    settings: Mapping[str, Any]
    layers: tuple[str, ...] = ()
    score: Score | None = None
    fit: Fit = "crop"
    fusion: Fusion = "mean"
    edit: Edit | None = None
    notes: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def view(self) -> NDArray[np.uint8]:
        """The image as the model sees it, RGB (H, W, 3), edited."""
        untouched = self.model.view(self.image, self.fit)
        if self.edit is None:
            return untouched
        return self.edit.apply(untouched, lambda other: self.model.view(other, self.fit))

    def original_view(self, longest: int = 1024) -> NDArray[np.uint8]:
        """Return the part of the image that `view` shows, edited, at its original resolution up to `longest` a side."""
        pixels = np.asarray(self.model.original_view(self.image, self.fit, longest))
        return pixels if self.edit is None else self.edit.enlarge(pixels, self.view)

    @property
    def key(self) -> Hashable:
        """The key of every cache, by content: questions with equal keys have equal results."""
        return (
            self.image.digest,
            self.fit,
            self.model.key,
            self.method.key,
            self.layers,
            self.fusion if len(self.layers) > 1 else None,
            self.score,
            self.edit.key if self.edit else None,
            tuple(sorted(self.settings.items())),
        )

    @property
    def class_index(self) -> int | None:
        """The class whose score is explained, the first one of a contrast; None for a custom score."""
        return class_of(self.score)

    @property
    def label(self) -> str:
        """The explained class or score, in words."""
        return label_of(self.model, self.score)

    def replace(self, **changes: Any) -> "Question":
        """Return the question with some fields changed."""
        return replace(self, **changes)

    def maps(self, net: nn.Module, x: Tensor, score: Score, progress: Progress | None = None) -> Tensor:
        """Return the method's maps of any images x (B, C, H, W) on any network with these layers, fused over layers.

        Shape (B, h, w) or (B, C, H, W). `progress(done, total)` is called by methods of many passes.
        """
        layers = [[net.get_submodule(name)] for name in self.layers] or [[]]
        found = []
        for number, layer in enumerate(layers):
            reporting: dict[str, Any] = {}
            if self.method.many_passes:
                reporting["progress"] = partial_progress(progress, number, len(layers))
            found.append(self.method(net, x, score, *layer, **self.settings, **reporting))
        return fuse_maps(found, self.fusion)


def fuse_maps(maps: Sequence[Tensor], fusion: Fusion) -> Tensor:
    """Return the mean, maximum or product of several maps, each (B, h, w) or (B, C, H, W), at the finest size.

    Every map is first scaled to a largest magnitude of 1. A product uses only positive values, as in RefineCAM. A
    single map is returned unchanged.
    """
    if len(maps) == 1:
        return maps[0]
    size = max((one.shape[-2:] for one in maps), key=lambda size: size[0] * size[1])
    scaled = []
    for one in maps:
        planes = one if one.ndim == 4 else one[:, None]
        planes = planes / planes.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(one.dtype).tiny)
        scaled.append(interpolate(planes, size=size, mode="bilinear", align_corners=False).view(*one.shape[:-2], *size))
    stack = torch.stack(scaled)
    if fusion == "product":
        return stack.clamp(min=0).prod(dim=0)
    return stack.mean(dim=0) if fusion == "mean" else stack.amax(dim=0)
