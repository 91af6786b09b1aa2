"""Record the intermediate steps of a method on one image, and reduce them to what a page shows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import set_multithreading_enabled
from torch.nn.functional import interpolate

from ..messages import Message
from ..methods.deconvnet import deconvnet, deconvolved
from ..methods.grad_cam import grad_cam
from ..methods.guided_backprop import guided, guided_backprop
from ..methods.guided_grad_cam import guided_grad_cam
from ..methods.integrated_gradients import integrated_gradients
from ..methods.lrp import lrp
from ..methods.score_cam import score_cam
from ..methods.vanilla_backprop import vanilla_backprop
from ..perturbation.masked_scores import masks_of
from ..relevance.propagation import relevance_per_layer
from ..runtime.progress import Progress
from ..runtime.steps import recording_steps
from ..scores import Score
from ..tape import activations, backward_rule, forward, input_gradient, score_of
from .walkthrough_records import (
    DRAWN,
    THUMBNAIL,
    GradCamWalkthrough,
    GradientWalkthrough,
    PathWalkthrough,
    ProductWalkthrough,
    RelevanceWalkthrough,
    ReluStep,
    ReluWalkthrough,
    ScoreCamWalkthrough,
    Walkthrough,
)

COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # of feature maps in the weighted sums that are kept


def of_vanilla_backprop(net: nn.Module, x: Tensor, score: Score) -> GradientWalkthrough:
    """Record the gradient, and check it by a small change of the pixel value with the largest gradient."""
    with _recording() as steps:
        vanilla_backprop(net, x, score)
    gradient = _last(steps, "gradient")["gradient"][0]
    color, row, column = (int(index) for index in torch.unravel_index(gradient.abs().argmax(), gradient.shape))
    change = float(x.std()) / 500
    changed = x.clone()
    changed[0, color, row, column] += change
    with torch.no_grad():
        before, after = (float(score_of(score, forward(net, one))) for one in (x, changed))
    predicted = change * float(gradient[color, row, column])
    return GradientWalkthrough(_kept(gradient), (color, row, column), change, predicted, after - before)


def of_guided_backprop(net: nn.Module, x: Tensor, score: Score) -> ReluWalkthrough:
    """Record every ReLU in the backward pass of guided backpropagation."""
    return _relu_walkthrough(guided_backprop, net, x, score)


def of_deconvnet(net: nn.Module, x: Tensor, score: Score, layer: nn.Module | None = None) -> ReluWalkthrough:
    """Record every ReLU in the backward pass of the deconvnet.

    With a layer it starts, as in the paper, from a single feature map: the one whose positive activations have the
    largest sum. Each ReLU is then kept at the channel where the rule differs most from the plain gradient.
    """
    if layer is None:
        return _relu_walkthrough(deconvnet, net, x, score)
    activation, _ = activations(net, x, layer)
    number = int(activation[0].clamp(min=0).sum(dim=(1, 2)).argmax())

    def projected(net: nn.Module, x: Tensor, score: Score) -> Tensor:
        with backward_rule(deconvolved):
            return input_gradient(net, x, _passed_back(number), layer)

    found = _relu_walkthrough(
        projected, net, x, score, lambda gradient, slope: gradient.clamp(min=0) - gradient * slope
    )
    return replace(found, feature_map=number)


def _passed_back(feature_map: int) -> Score:
    """Return the score whose gradient at a layer's output is the positive part of one feature map, and 0 elsewhere."""

    def score(activation: Tensor) -> Tensor:
        one = activation[:, feature_map]
        return (one * one.detach().clamp(min=0)).flatten(1).sum(dim=1)

    return score


def of_grad_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> GradCamWalkthrough:
    """Record the feature maps, gradients and weights of Grad-CAM."""
    with _recording() as steps:
        result = grad_cam(net, x, score, layer)
    step = _last(steps, "activation", "gradient", "weight")
    activation, gradient, weight = step["activation"][0], step["gradient"][0], step["weight"][0, :, 0, 0]
    order = (weight * activation.sum(dim=(1, 2))).abs().argsort(descending=True)
    weighted = weight[:, None, None] * activation
    counts = [count for count in COUNTS if count < len(weight)] + [len(weight)]
    strongest = order[:DRAWN]
    return GradCamWalkthrough(
        tuple(strongest.tolist()),
        _kept(activation[strongest]),
        _kept(gradient[strongest]),
        _kept(weight),
        {count: _kept(weighted[order[:count]].sum(dim=0)) for count in counts},
        _kept(result[0]),
    )


def of_guided_grad_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> ProductWalkthrough:
    """Record the two maps that guided Grad-CAM multiplies."""
    with _recording() as steps:
        result = guided_grad_cam(net, x, score, layer)
    step = _last(steps, "lines", "region")
    return ProductWalkthrough(_kept(step["lines"][0]), _kept(step["region"][0]), _kept(result[0]))


def of_score_cam(
    net: nn.Module, x: Tensor, score: Score, layer: nn.Module, progress: Progress | None = None
) -> ScoreCamWalkthrough:
    """Record the scores and weights of Score-CAM, and mask the image by the feature maps of the largest weights."""
    with _recording() as steps:
        result = score_cam(net, x, score, layer, progress=progress)
    step = _last(steps, "channels", "scores", "weight")
    channels, scores, weight = step["channels"], step["scores"], step["weight"]
    strongest = weight.argsort(descending=True)[:DRAWN]
    masked = [_thumbnails(x * masks_of(channels[number, None], x.shape[-2:])) for number in strongest.tolist()]
    total = (weight[:, None, None] * channels).sum(dim=0)
    return ScoreCamWalkthrough(
        tuple(strongest.tolist()),
        _kept(torch.cat(masked) if masked else x.new_empty(0, x.shape[1], THUMBNAIL, THUMBNAIL)),
        _kept(scores),
        _kept(weight),
        _kept(total),
        _kept(result[0]),
    )


def of_integrated_gradients(
    net: nn.Module, x: Tensor, score: Score, steps: int = 32, progress: Progress | None = None
) -> PathWalkthrough:
    """Record the points on the path from the baseline to the image, and what each adds to the map."""
    with _recording() as recorded:
        result = integrated_gradients(net, x, score, steps=steps, progress=progress)
    batches = [step for step in recorded if "points" in step]
    end = _last(recorded, "rise", "start")
    place, weight, points, gradient = (
        torch.cat([batch[name] for batch in batches]) for name in ("place", "weight", "points", "gradient")
    )
    added = (gradient * (x - end["start"])).sum(dim=(1, 2, 3)) * weight.flatten()
    shown = torch.linspace(0, len(place) - 1, DRAWN, dtype=torch.float64).round().long().tolist()
    return PathWalkthrough(
        _kept(place.flatten()),
        _kept(added),
        float(end["rise"]),
        tuple(shown),
        _kept(_thumbnails(points[shown])),
        _kept(_thumbnails(gradient[shown].abs().sum(dim=1, keepdim=True))[:, 0]),
        _kept(result[0]),
    )


def of_lrp(net: nn.Module, x: Tensor, score: Score, layers: Mapping[str, nn.Module]) -> RelevanceWalkthrough:
    """Record the sum of the relevance at each of `layers` (by name, early to late), and the map at the pixels."""
    with _recording() as steps:
        lrp(net, x, score)
    step = _last(steps, "composite", "relevance")
    sums = relevance_per_layer(net, x, score, list(layers.values()), step["composite"])
    with torch.no_grad():
        whole = float(score_of(score, forward(net, x)))
    return RelevanceWalkthrough(whole, tuple(layers), tuple(float(one) for one in sums), _kept(step["relevance"][0]))


WALKTHROUGHS: dict[str, Callable[..., Walkthrough]] = {
    "vanilla_backprop": of_vanilla_backprop,
    "guided_backprop": of_guided_backprop,
    "deconvnet": of_deconvnet,
    "grad_cam": of_grad_cam,
    "guided_grad_cam": of_guided_grad_cam,
    "score_cam": of_score_cam,
    "integrated_gradients": of_integrated_gradients,
    "lrp": of_lrp,
}


def apply_relu_rules(gradient: Tensor, slope: Tensor) -> dict[str, Tensor]:
    """Return what each rule passes back through a ReLU: by name, of the shape of `gradient`."""
    return {
        Message("plain gradient"): gradient * slope,
        Message("deconvnet"): deconvolved(gradient, slope),
        Message("guided backpropagation"): guided(gradient, slope),
    }


def _relu_walkthrough(
    method: Callable[..., Tensor],
    net: nn.Module,
    x: Tensor,
    score: Score,
    shown: Callable[[Tensor, Tensor], Tensor] = torch.mul,
) -> ReluWalkthrough:
    """Record a method at every ReLU, and keep for each the channel with the largest `shown(gradient, slope)`."""
    with _recording() as steps:
        result = method(net, x, score)
    found = [(step["gradient"][0], step["slope"][0]) for step in reversed(steps) if "slope" in step]
    return ReluWalkthrough(
        _kept(result[0]), tuple(_relu_step(number, shown, *pair) for number, pair in enumerate(found))
    )


def _relu_step(number: int, shown: Callable[[Tensor, Tensor], Tensor], gradient: Tensor, slope: Tensor) -> ReluStep:
    slope = slope.expand_as(gradient)
    if gradient.ndim == 1:  # behind a linear layer, whose units have no place
        gradient, slope = gradient[:, None, None], slope[:, None, None]
    channel = int(shown(gradient, slope).abs().flatten(1).sum(dim=1).argmax())
    return ReluStep(number, len(gradient), channel, _kept(gradient[channel]), _kept(slope[channel]))


@contextmanager
def _recording() -> Iterator[list[dict[str, Any]]]:
    # On an accelerator autograd runs backward passes in a thread of its own, to which a recording does not reach.
    with recording_steps() as steps, set_multithreading_enabled(False):
        yield steps


def _last(steps: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    return next(step for step in reversed(steps) if all(name in step for name in names))


def _kept(values: Tensor) -> Tensor:
    """Return a copy on the CPU that holds no more memory than its own values."""
    return values.detach().to("cpu", copy=True).contiguous()


def _thumbnails(images: Tensor) -> Tensor:
    return interpolate(images, size=(THUMBNAIL, THUMBNAIL), mode="area")
