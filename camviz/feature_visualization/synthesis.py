"""Synthesize an image for a network; the result holds its objective, its frames, its settings and its cost."""

import base64
import html
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import encode, images
from ..errors import CamvizError, LayerError
from ..images import ImageSource
from ..messages import Message
from ..models import Model, Weights
from ..models.channels import GRAY_WEIGHTS, RGB_CHANNELS, Channel, is_gray, to_channels
from ..models.geometry import Fit
from ..registry import SYNTHESES, SynthesisMethod
from ..runtime.devices import stopwatch
from ..runtime.progress import check_progress
from ..scores import Score, logit
from ..tape import counting_passes, score_of, usual_modes
from ..targets import Target, class_of, label_of, resolve_target
from ..text import passes_text
from .features import FeatureFunction

RGB = NDArray[np.uint8]
Progress = Callable[[int, int, RGB], Any]

FRAMES = 32  # kept of the optimization
PAUSE = 0.1  # least seconds between two calls of progress


@dataclass(frozen=True)
class channel_mean:
    """The mean of channel c of a layer over all places: (B, C, h, w) -> (B,)."""

    c: int

    def __call__(self, activation: Tensor) -> Tensor:
        return activation[:, self.c].mean(dim=(1, 2))


@dataclass(frozen=True, eq=False)
class Synthesis:
    """An image made for a network, with its objective, its frames, and the settings that reproduce it."""

    image: RGB
    objective: tuple[float, ...]
    frames: tuple[RGB, ...] = field(repr=False)
    method: str
    model: str
    weights: Weights
    layer: str | None
    channel: int | None
    target: int | None
    label: str
    knobs: Mapping[str, Any]
    fit: Fit
    image_digest: str | None
    seconds: float
    forward_passes: int
    backward_passes: int

    @property
    def facts(self) -> Message:
        """The method, the goal, the model and the cost, in one line."""
        return Message(
            "{method}, {goal}, {model}: {seconds:.1f} s, {passes}",
            method=SYNTHESES[self.method].title,
            goal=self.label,
            model=self.model,
            seconds=self.seconds,
            passes=passes_text(self.forward_passes, self.backward_passes),
        )

    def _repr_html_(self) -> str:
        source = base64.b64encode(encode.png(self.image)).decode()
        facts = html.escape(self.facts)
        return f'<div><img alt="{facts}" src="data:image/png;base64,{source}"><p>{facts}</p></div>'


@usual_modes()
def synthesize(
    model: Model,
    method: str = "activation_maximization",
    *,
    image: ImageSource | None = None,
    layer: str | None = None,
    channel: int | None = None,
    target: Target = None,
    fit: Fit = "crop",
    progress: Progress | None = None,
    **knobs: Any,
) -> Synthesis:
    """Make an image for a network: for a channel of a layer, for a class, or from another image.

    `layer`: a dotted name, None = the model's default if the method needs one. `channel`: of this layer. `target`: a
    class by index or label, or a Score; None = the predicted class of `image`. `progress(done, total, frame)`, frame
    uint8 (H, W, 3), is called up to ten times a second; an exception from it ends the method. `knobs`: the method's
    settings. Raises CamvizError for invalid input.
    """
    if not isinstance(model, Model):
        raise CamvizError(
            "synthesize takes a Model, as camviz.load_model returns it; got {kind}", kind=type(model).__name__
        )
    check_progress(progress)
    found = find_synthesis(method)
    settings = found.settings(knobs)
    takes = signature(found.function).parameters
    source = None if image is None else images.decode_image(image)
    phi, given = feature_function(model), dict[str, Any]()
    if found.starts_from_image:
        if source is None:
            raise CamvizError("{method} starts from an image: give one, image=...", method=found.title)
        given["image"] = to_channels(model.view(source, fit), plane_names(model))[None].to(phi.mean)
    name = index = None
    if found.layer == "required" or (found.layer == "optional" and (channel is not None or target is None)):
        name = model.default_layer if layer is None else layer
        given["layer"] = model.module(name)
        score, label = _channel(model, name, channel, needed=found.layer == "optional")
    else:
        channel = None
        score = _target(model, target, source, fit)
        index, label = class_of(score), label_of(model, score)
    if "score" in takes:
        given["score"] = None if score is None else partial(score_of, score)
    objective: list[float] = []
    frames: list[RGB] = []
    started = reported = time.perf_counter()

    def show(done: int, total: int, shown: Tensor, value: float) -> None:
        nonlocal reported
        objective.append(value)
        is_kept = done * (FRAMES - 1) // total > (done - 1) * (FRAMES - 1) // total or done == 1
        is_reported = progress is not None and (done in (1, total) or time.perf_counter() - reported > PAUSE)
        if not is_kept and not is_reported:
            return
        frame = as_rgb(shown)
        if is_kept:
            frames.append(frame)
        if progress and is_reported:
            progress(done, total, frame)
            reported = time.perf_counter()

    with model.running(), counting_passes() as account:
        result = as_rgb(found(phi, **given, **settings, progress=show))
    return Synthesis(
        image=result,
        objective=tuple(objective),
        frames=(*frames[:-1], result),
        method=found.key,
        model=model.name,
        weights=model.weights,
        layer=name,
        channel=channel,
        target=index,
        label=label,
        knobs=settings,
        fit=fit,
        image_digest=None if source is None else source.digest,
        seconds=time.perf_counter() - started,
        forward_passes=account.forward_passes,
        backward_passes=account.backward_passes,
    )


def estimate(model: Model, method: str, **arguments: Any) -> float:
    """Estimate the seconds that `synthesize` takes on this machine from three steps of it."""
    steps = int(arguments.pop("steps", find_synthesis(method).knobs["steps"].default))
    marks: list[tuple[float, int]] = []
    clock = stopwatch(model.device)
    started = clock()
    few = min(3, steps)
    synthesize(
        model,
        method,
        **arguments,
        steps=few,
        progress=lambda done, total, _: marks.append((clock() - started, done)),
    )
    last, done = marks[-1]
    step_seconds = [(end - start) / (after - before) for (start, before), (end, after) in pairwise(marks)]
    # The fastest step counts, because other programs may have slowed the others.
    return last + (done * steps / few - done) * min(step_seconds, default=0.0)


def find_synthesis(key: str) -> SynthesisMethod:
    """Return the synthesis method with this key. Raises CamvizError with the nearest key."""
    return SYNTHESES[key]


def feature_function(model: Model) -> FeatureFunction:
    """Return the model's network as a function of images in [0, 1]: gray ones if it takes no colors, else RGB."""
    channels = model.input_channels
    reference = next(model.net.parameters(), torch.empty(0, device=model.device))

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device="cpu").view(1, -1, 1, 1).to(reference)

    mean, std = column(model.mean), column(model.std)
    if channels in (RGB_CHANNELS, ("gray",)):
        return FeatureFunction(model.net, model.input_size, mean, std)
    planes = plane_names(model)
    gray = [weight / sum(GRAY_WEIGHTS) for weight in GRAY_WEIGHTS] if len(planes) == 3 else [1.0]
    rows = [gray if channel == "gray" else [float(channel == plane) for plane in planes] for channel in channels]
    mix = torch.tensor(rows, device="cpu").to(reference)
    # A color without a channel gets the mean and deviation of the first channel.
    first = [channels.index(plane) if plane in channels else 0 for plane in planes]

    def to_input(image: Tensor) -> Tensor:
        return (torch.einsum("cp,bphw->bchw", mix, image) - mean) / std

    return FeatureFunction(model.net, model.input_size, mean[:, first], std[:, first], to_input)


def plane_names(model: Model) -> tuple[Channel, ...]:
    """Return the channels of the images made for a network: gray if it takes no colors, else red, green and blue."""
    return ("gray",) if is_gray(model.input_channels) else RGB_CHANNELS


def as_rgb(image: Tensor) -> RGB:
    """Return an image (1, P, H, W) in [0, 1], P = 1 or 3, as uint8 (H, W, 3)."""
    rounded = (image[0].detach().clamp(0, 1) * 255).round().to("cpu", torch.uint8)
    return rounded.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def _channel(model: Model, name: str, given: Any, needed: bool) -> tuple[Score | None, str]:
    if given is None:
        if needed:
            raise CamvizError("there is nothing to synthesize: give a channel of the layer, or a class as target")
        return None, Message("layer {name}", name=name)
    count = model.layer(name).channels
    try:
        number = -1 if isinstance(given, bool | np.bool_) else operator.index(given)
    except TypeError:
        number = -1
    if not 0 <= number < count:
        raise LayerError(
            "layer {name} has channels 0 to {last}; got {number}", name=name, last=count - 1, number=repr(given)[:60]
        )
    return channel_mean(number), Message("channel {number} of {layer}", number=number, layer=name)


def _target(model: Model, target: Target, source: images.DecodedImage | None, fit: Fit) -> Score:
    if (score := resolve_target(model, target)) is not None:
        return score
    if source is None:
        raise CamvizError("there is no class to synthesize: give its index or its label as target")
    return logit(model.predict(source, 1, fit)[0].index)
