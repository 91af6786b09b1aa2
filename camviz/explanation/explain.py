"""One explanation as one value: what was computed, of what, and what it cost."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import images, scores
from ..acceleration.conv_bn_fusion import channels_last
from ..errors import CamvizError, unknown
from ..messages import Message
from ..models import Model
from ..models.geometry import Fit
from ..registry import METHODS, Method
from ..runtime.devices import stopwatch, synchronize, synchronized_progress
from ..runtime.progress import Progress
from ..scores import Score, logit, logit_of
from ..tape import counting_passes, forward, is_compiled
from ..targets import Target, resolve_target
from . import recipe
from .explanation import RGB, Explanation, Fusion
from .recipe import Network


def explain(
    model: Network,
    image: Image.Image | bytes | str | Path | BinaryIO | Mapping[str, Any],
    method: str = "grad_cam",
    target: Target = None,
    layer: str | None = None,
    *,
    fit: Fit = "crop",
    fuse: Fusion = "mean",
    progress: Progress | None = None,
    **knobs: Any,
) -> Explanation:
    """Explain one picture: the model's answer (or `target`), by one method, at one layer.

    `target`: None = the predicted class, an index, a label, or a Score. `layer`: a dotted name, None = the
    model's default; several names separated by commas are explained one by one and fused, by `fuse`: the "mean" or
    the "max" of the maps, each scaled to a maximum of 1. `fit`: "crop", "pad" or "stretch". `progress(done, total)`
    is called by methods of many passes; what it raises ends the method. `knobs`: the method's settings. `model`,
    `image` and `target` may also be what a recipe holds (`export.recipe`), so that `explain(**recipe)` computes it
    again. Raises CamvizError on wrong input.
    """
    found = find_method(method)
    settings = found.settings(knobs)
    model, said = recipe.network(model)
    picture = recipe.picture(image)
    view = model.view(picture, fit)
    x = model.normalize(view)
    name, modules = _layers(model, found, layer, fuse)
    asked = _asked(found, settings, name, fit, fuse)
    progress = synchronized_progress(progress, model.device)
    started = time.perf_counter()
    with counting_passes() as account, scores.headed(model.probabilities):
        answer = _answer(model, x, target, found)
        results = [
            found(
                model.net,
                x,
                answer,
                *([module] if module else []),
                **settings,
                **_share(found, progress, part, modules),
            )
            for part, module in enumerate(modules or [None])
        ]
        chances = model.probabilities(answer.seen_by(model.net, x))[0]
    synchronize(model.device)
    result = results[0] if len(results) == 1 else fuse_maps(results, fuse)
    return _explained(
        model,
        target,
        chances,
        model.in_colors(result)[0],
        view=view,
        **asked,
        image_digest=images.digest(picture),
        seconds=time.perf_counter() - started,
        forward_passes=account.forward_passes,
        backward_passes=account.backward_passes,
        notes=(*said, *account.notes),
    )


def explain_batch(
    model: Model,
    views: Sequence[RGB],
    digests: Sequence[str],
    method: str = "grad_cam",
    target: Target = None,
    layer: str | None = None,
    *,
    fit: Fit = "crop",
    fuse: Fusion = "mean",
    **knobs: Any,
) -> tuple[list[Explanation], Tensor]:
    """`explain` for several pictures in one batch, by a method of one or two passes; and their class scores (B, K).

    `views` are what `model.view` makes of the pictures with that `fit`, `digests` their `images.digest`; the rest is as
    for `explain`. The predicted class comes from the method's own pass, so that Grad-CAM takes one. Raises CamvizError.
    """
    found = find_method(method)
    if found.many_passes:
        raise CamvizError(
            "{method} takes many passes for each picture, so its pictures go one by one", method=found.title
        )
    settings = found.settings(knobs)
    x = channels_last(torch.cat([model.normalize(view) for view in views]))
    name, modules = _layers(model, found, layer, fuse)
    asked = _asked(found, settings, name, fit, fuse)
    started = time.perf_counter()
    with counting_passes() as account, scores.headed(model.probabilities):
        answer = _answer(model, x, target, found)
        results = [found(model.net, x, answer, *at, **settings) for at in [[module] for module in modules] or [[]]]
        seen = answer.seen_by(model.net, x)
    if account.notes and len(views) > 1:  # what a method says is about one picture
        one_by_one = [
            explain_batch(model, [view], [digest], method, target, layer, fit=fit, fuse=fuse, **knobs)[0][0]
            for view, digest in zip(views, digests, strict=True)
        ]
        return one_by_one, seen
    result = results[0] if len(results) == 1 else fuse_maps(results, fuse)
    attributions, chances = model.in_colors(result), model.probabilities(seen)
    synchronize(model.device)
    share = (time.perf_counter() - started) / len(views)
    explained = [
        _explained(
            model,
            target,
            chances[place],
            attributions[place],
            view=view,
            **asked,
            image_digest=digest,
            seconds=share,
            forward_passes=account.forward_passes // len(views),
            backward_passes=account.backward_passes // len(views),
            notes=tuple(account.notes),
        )
        for place, (view, digest) in enumerate(zip(views, digests, strict=True))
    ]
    return explained, seen


def _asked(found: Method, settings: Mapping[str, Any], layer: str | None, fit: Fit, fuse: Fusion) -> dict[str, Any]:
    """What an explanation keeps of how it was asked for."""
    several = layer is not None and "," in layer
    return {"method": found.key, "layer": layer, "knobs": settings, "fit": fit, "fuse": fuse if several else None}


def _explained(
    model: Model, target: Target, chances: Tensor, attribution: Tensor, *, notes: tuple[str, ...], **rest: Any
) -> Explanation:
    """One explanation: what was said of the picture with which probability (K,), and its map, as they are kept."""
    index, score, label = resolve_target(model, target, int(chances.argmax()))
    values = attribution.detach().to("cpu", torch.float32).numpy()
    return Explanation(
        attribution=values,
        model=model.name,
        weights=model.weights,
        target=index,
        label=label,
        score=repr(score),
        probability=float(chances[index]) if index is not None else float("nan"),
        notes=(*notes, *_emptiness(values)),
        **rest,
    )


class _Answer:
    """A score that remembers the class scores of the first pass, and explains each sample's best class if not told."""

    def __init__(self, told: Score | None) -> None:
        self.told = told
        self.scores: Tensor | None = None

    def __call__(self, scores: Tensor) -> Tensor:
        if self.scores is None:
            self.scores = scores.detach()
        if self.told is None:
            self.told = logit_of(tuple(self.scores.argmax(dim=1).tolist()))
        return self.told(scores)

    def seen_by(self, net: nn.Module, x: Tensor) -> Tensor:
        """The class scores of x, (B, K); by a pass of its own where nobody has asked yet."""
        if self.scores is None:
            with torch.no_grad():
                self.scores = forward(net, x)
        return self.scores


def _answer(model: Model, x: Tensor, target: Target, method: Method) -> _Answer:
    """What is explained of x: each picture's best class where no target is told."""
    answer = _Answer(None if target is None else resolve_target(model, target, 0)[1])
    if method.many_passes:  # of one picture, but the first pass may be of another
        best = int(answer.seen_by(model.net, x).argmax())
        answer.told = answer.told or logit(best)
    return answer


def _layers(model: Model, found: Method, layer: str | None, fuse: str) -> tuple[str | None, list[nn.Module]]:
    """The layers that a method is to look at: their names as one text, and the modules."""
    if fuse not in get_args(Fusion):
        raise unknown(Message("fuse"), str(fuse), get_args(Fusion), "mean, max")
    name = None if found.layer == "none" else layer
    if found.layer == "required" and name is None:
        name = model.default_layer
        if not name:
            hidden = Message(", as its layers are hidden in TorchScript") if is_compiled(model.net) else ""
            raise CamvizError(
                "{model} has no layer of feature maps{hidden}, which {method} needs",
                model=model.name,
                hidden=hidden,
                method=found.title,
            )
    return name, [model.module(part) for part in name.split(",")] if name is not None else []


def fuse_maps(maps: Sequence[Tensor], fuse: Fusion) -> Tensor:
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
    clock = stopwatch(model.device)
    started = clock()

    def mark(done: int, total: int) -> None:
        if not done or (marks and marks[-1][1] == done):
            return  # a word from within a batch
        marks.append((clock() - started, done, total))
        if len(marks) >= 2:
            raise _Enough

    try:
        explain(model, image, method, layer=layer, progress=mark, **knobs)
        return clock() - started
    except _Enough:
        (first, before, total), (second, after, _) = marks
        return second + (total - after) * (second - first) / max(1, after - before)


class _Enough(BaseException):
    """Ends a method from its progress callback when enough of it has been timed."""


def find_method(key: str) -> Method:
    """The method of that key; raises CamvizError with the nearest one."""
    if key not in METHODS:
        raise unknown(Message("method"), key, METHODS, "CamViz")
    return METHODS[key]


def _emptiness(attribution: npt.NDArray[np.float32]) -> tuple[str, ...]:
    if attribution.ndim == 2 and (attribution.max() <= 0 or attribution.max() == attribution.min()):
        return (Message("No positive evidence for this class at this layer: the map is empty."),)
    if not attribution.any():
        return (Message("Nothing reached the pixels: the map is empty."),)
    return ()
