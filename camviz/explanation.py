"""One explanation as one value: what was computed, of what, and what it cost."""

import base64
import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, SupportsIndex, get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from . import export, images, methods, render
from .batches import Progress
from .errors import CamvizError, unknown
from .models import Model
from .models.geometry import Fit
from .registry import METHODS, Method
from .scores import Score, contrast, logit, probability
from .tape import accounting, forward

__all__ = ["Explanation", "explain", "find_method", "methods"]

Fuse = Literal["mean", "max"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """The raw signed attribution of one picture, with everything that says what it is and how to get it again."""

    attribution: npt.NDArray[np.float32]
    view: npt.NDArray[np.uint8]
    method: str
    model: str
    weights: str
    layer: str | None
    target: int | None
    label: str
    score: str
    probability: float
    knobs: Mapping[str, Any]
    fit: Fit
    fuse: Fuse | None
    image_digest: str
    seconds: float
    forward_passes: int
    backward_passes: int
    notes: tuple[str, ...]

    @cached_property
    def heatmap(self) -> npt.NDArray[np.float32]:
        """The attribution for display: (H, W) at the size of the view, 0 to 1; all-zero where nothing is positive."""
        return render.heatmap(self.attribution, self.view.shape[:2])

    @property
    def facts(self) -> str:
        """One line: what this explains, and what it cost."""
        where = f", layer {self.layer}" if self.layer else ""
        return (
            f"{METHODS[self.method].title} of {self.label} ({self.probability:.1%}), {self.model}{where}: "
            f"{self.seconds:.2f} s, {self.forward_passes} forward and {self.backward_passes} backward passes"
        )

    def _repr_html_(self) -> str:
        pictures = (self.view, render.overlay(self.view, self.heatmap))
        tags = "".join(
            f'<img alt="{alt}" src="data:image/png;base64,{base64.b64encode(export.png(picture)).decode()}">'
            for alt, picture in zip(("picture", "overlay"), pictures, strict=True)
        )
        return f"<div>{tags}<p>{html.escape(' '.join((self.facts, *self.notes)))}</p></div>"


def explain(
    model: Model,
    image: Image.Image | bytes | str | Path | BinaryIO,
    method: str = "grad_cam",
    target: int | str | Score | None = None,
    layer: str | None = None,
    *,
    fit: Fit = "crop",
    fuse: Fuse = "mean",
    progress: Progress | None = None,
    **knobs: Any,
) -> Explanation:
    """Explain one picture: the model's answer (or `target`), by one method, at one layer.

    `target`: None = the predicted class, an index, a label, or a Score. `layer`: a dotted name, None = the
    model's default; several names separated by commas are explained one by one and fused, by `fuse`: the "mean" or
    the "max" of the maps, each scaled to a maximum of 1. `fit`: "crop", "pad" or "stretch". `progress(done, total)`
    is called by methods of many passes; what it raises ends the method. `knobs`: the method's settings. Raises
    CamvizError on wrong input.
    """
    found = find_method(method)
    settings = found.settings(knobs)
    picture = images.decode(image)
    x = model.preprocess(picture, fit)
    if fuse not in get_args(Fuse):
        raise unknown("fuse", str(fuse), get_args(Fuse), "mean, max")
    name = None if found.layer == "none" else layer
    if found.layer == "required" and name is None:
        name = model.default_layer
        if not name:
            raise CamvizError(f"{model.name} has no layer of feature maps, which {found.title} needs")
    modules = [model.module(part) for part in name.split(",")] if name is not None else []
    started = time.perf_counter()
    with accounting() as account:
        with torch.no_grad():
            chances = forward(model.net, x).softmax(dim=1)[0]
        index, score, label = _target(model, target, int(chances.argmax()))
        results = [
            found(
                model.net, x, score, *([module] if module else []), **settings, **_share(found, progress, part, modules)
            )
            for part, module in enumerate(modules or [None])
        ]
    result = results[0] if len(results) == 1 else fused(results, fuse)
    attribution = result[0].detach().to("cpu", torch.float32).numpy()
    return Explanation(
        attribution=attribution,
        view=model.view(picture, fit),
        method=found.key,
        model=model.name,
        weights=model.weights,
        layer=name,
        target=index,
        label=label,
        score=repr(score),
        probability=float(chances[index]) if index is not None else float("nan"),
        knobs=settings,
        fit=fit,
        fuse=fuse if len(modules) > 1 else None,
        image_digest=images.digest(picture),
        seconds=time.perf_counter() - started,
        forward_passes=account.forward_passes,
        backward_passes=account.backward_passes,
        notes=(*account.notes, *_emptiness(attribution)),
    )


def fused(maps: Sequence[Tensor], fuse: Fuse) -> Tensor:
    """Maps of several layers as one: each scaled to a largest magnitude of 1, brought to the finest one's size."""
    size = max((one.shape[-2:] for one in maps), key=lambda size: size[0] * size[1])
    scaled = []
    for one in maps:
        planes = one if one.ndim == 4 else one[:, None]
        planes = planes / planes.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(one.dtype).tiny)
        scaled.append(interpolate(planes, size=size, mode="bilinear", align_corners=False).view(*one.shape[:-2], *size))
    stack = torch.stack(scaled)
    return stack.mean(dim=0) if fuse == "mean" else stack.amax(dim=0)


def _share(method: Method, progress: Progress | None, part: int, parts: Sequence[Any]) -> dict[str, Any]:
    """The progress argument for the part-th of several runs of a method, if it takes one."""
    if not method.many_passes:
        return {}
    runs = max(1, len(parts))
    share = (lambda done, total: progress(part * total + done, runs * total)) if progress else None
    return {"progress": share}


def estimate(model: Model, image: Image.Image, method: str, layer: str | None = None, **knobs: Any) -> float:
    """About how many seconds `explain` will take on this machine, found by running its first batches."""
    marks: list[tuple[float, int, int]] = []
    started = time.perf_counter()

    def mark(done: int, total: int) -> None:
        marks.append((time.perf_counter() - started, done, total))
        if len(marks) >= 2:
            raise _Enough

    try:
        return explain(model, image, method, layer=layer, progress=mark, **knobs).seconds
    except _Enough:
        (first, before, total), (second, after, _) = marks
        return second + (total - after) * (second - first) / max(1, after - before)


class _Enough(BaseException):
    """Ends a method from its progress callback when enough of it has been timed."""


def find_method(key: str) -> Method:
    """The method of that key; raises CamvizError with the nearest one."""
    if key not in METHODS:
        raise unknown("method", key, METHODS, "CamViz")
    return METHODS[key]


def _target(model: Model, target: int | str | Score | None, predicted: int) -> tuple[int | None, Score, str]:
    if target is None:
        target = predicted
    if not callable(target):
        if not isinstance(target, str | SupportsIndex):
            raise CamvizError(f"a target is the index of a class, its label, or a score; got {target!r}")
        index = model.class_index(target)
        return index, logit(index), model.categories[index]
    if isinstance(target, contrast):
        a, b = model.class_index(target.a), model.class_index(target.b)
        return a, target, f"{model.categories[a]} rather than {model.categories[b]}"
    if isinstance(target, logit | probability):
        index = model.class_index(target.c)
        return index, target, model.categories[index]
    return None, target, getattr(target, "__name__", repr(target))


def _emptiness(attribution: npt.NDArray[np.float32]) -> tuple[str, ...]:
    if attribution.ndim == 2 and (attribution.max() <= 0 or attribution.max() == attribution.min()):
        return ("No positive evidence for this class at this layer: the map is empty.",)
    if not attribution.any():
        return ("Nothing reached the pixels: the map is empty.",)
    return ()
