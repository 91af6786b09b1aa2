"""The steps of a method on one picture, told by the very run that computes its map (see `tracing`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..messages import Message
from ..methods.deconvnet import deconvnet, deconvolved
from ..methods.grad_cam import grad_cam
from ..methods.guided_backprop import guided, guided_backprop
from ..methods.guided_grad_cam import guided_grad_cam
from ..methods.integrated_gradients import integrated_gradients
from ..methods.lrp import composites, lrp
from ..methods.score_cam import score_cam
from ..methods.vanilla_backprop import vanilla_backprop
from ..perturbation import masked_scores
from ..relevance.propagation import relevance_per_layer
from ..runtime.progress import Progress
from ..scores import Score
from ..tape import forward, input_gradient, score_of
from .local_variables import tracing

THUMBNAIL = 96  # pixels


@dataclass(frozen=True)
class GradientWalkthrough:
    """Vanilla backpropagation: the gradient, and the test of it by changing one value of one pixel."""

    result: Tensor  # (3, H, W)
    place: tuple[int, int, int]  # color, row and column of the steepest value
    change: float  # what was added there, in the network's units
    predicted: float  # the change of the score by the gradient
    real: float  # and by a second pass


@dataclass(frozen=True)
class ReluStep:
    """One ReLU on the way back: what comes from above, its slope on the way up, and its name by order of use."""

    number: int  # 0 is the ReLU nearest to the picture
    gradient: Tensor  # (c, h, w)
    slope: Tensor  # (c, h, w): 1 where it let its input through


@dataclass(frozen=True)
class ReluWalkthrough:
    """Guided backpropagation or the deconvnet: the map, and every ReLU that the rule was used at."""

    result: Tensor  # (3, H, W)
    bends: tuple[ReluStep, ...]


@dataclass(frozen=True)
class GradCamWalkthrough:
    """Grad-CAM: the layer's feature maps A (c, h, w), the gradient of the score by them, and the map."""

    activation: Tensor
    gradient: Tensor
    weight: Tensor  # (c,), the gradient's mean
    result: Tensor  # (h, w)

    @property
    def order(self) -> Tensor:
        """The feature maps by what they add to the sum, (c,), the most first, whatever its sign."""
        return (self.weight * self.activation.sum(dim=(1, 2))).abs().argsort(descending=True)

    def sum_of(self, count: int) -> Tensor:
        """The weighted sum of the `count` feature maps that add most, before ReLU, (h, w)."""
        chosen = self.order[:count]
        return (self.weight[chosen, None, None] * self.activation[chosen]).sum(dim=0)


@dataclass(frozen=True)
class ScoreCamWalkthrough:
    """Score-CAM: each living feature map as a mask, what the network says of the rest, and the weights."""

    pictures: Tensor  # (n, 3, THUMBNAIL, THUMBNAIL), the masked pictures as the network sees them
    scores: Tensor  # (n,)
    weight: Tensor  # (n,), softmax of the scores
    activation: Tensor  # (n, h, w)
    result: Tensor  # (h, w)


@dataclass(frozen=True)
class PathWalkthrough:
    """Integrated gradients: the pictures on the way, the gradient at each, and what each adds to the map's sum."""

    place: Tensor  # (n,), 0 = baseline, 1 = picture
    pictures: Tensor  # (n, 3, THUMBNAIL, THUMBNAIL)
    gradients: Tensor  # (n, THUMBNAIL, THUMBNAIL), sum over colors of its size
    added: Tensor  # (n,), the sum of what the step adds
    rise: float  # S(x) - S(baseline), which all of them should add up to
    result: Tensor  # (3, H, W)


@dataclass(frozen=True)
class ProductWalkthrough:
    """Guided Grad-CAM: the fine lines, the region, and their product."""

    lines: Tensor  # (3, H, W)
    region: Tensor  # (h, w)
    result: Tensor  # (3, H, W)


@dataclass(frozen=True)
class RelevanceWalkthrough:
    """Layer-wise relevance propagation: the score, what of it arrives at each layer, and the map."""

    score: float
    layers: tuple[str, ...]  # early to late
    relevance: tuple[float, ...]
    result: Tensor  # (3, H, W)


Walkthrough = (
    GradientWalkthrough
    | ReluWalkthrough
    | GradCamWalkthrough
    | ScoreCamWalkthrough
    | PathWalkthrough
    | ProductWalkthrough
    | RelevanceWalkthrough
)


def of_vanilla_backprop(net: nn.Module, x: Tensor, score: Score) -> GradientWalkthrough:
    """Its gradient, and the proof by a small change of the pixel value to which the score reacts most."""
    result = vanilla_backprop(net, x, score)[0]
    color, row, column = (int(index) for index in torch.unravel_index(result.abs().argmax(), result.shape))
    change = float(x.std()) / 500
    changed = x.clone()
    changed[0, color, row, column] += change
    with torch.no_grad():
        before, after = (float(score_of(score, forward(net, one))) for one in (x, changed))
    predicted = change * float(result[color, row, column])
    return GradientWalkthrough(result, (color, row, column), change, predicted, after - before)


def of_guided_backprop(net: nn.Module, x: Tensor, score: Score) -> ReluWalkthrough:
    """Every ReLU that guided backpropagation passes on the way back."""
    return _rectified(guided_backprop, guided, net, x, score)


def of_deconvnet(net: nn.Module, x: Tensor, score: Score) -> ReluWalkthrough:
    """Every ReLU that the deconvnet passes on the way back."""
    return _rectified(deconvnet, deconvolved, net, x, score)


def of_grad_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> GradCamWalkthrough:
    """The feature maps, gradients and weights of Grad-CAM."""
    told: dict[str, Any] = {}
    with tracing({grad_cam: lambda variables, _: told.update(variables)}):
        result = grad_cam(net, x, score, layer)
    return GradCamWalkthrough(told["activation"][0], told["gradient"][0], told["weight"][0, :, 0, 0], result[0])


def of_guided_grad_cam(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> ProductWalkthrough:
    """The two maps that guided Grad-CAM multiplies."""
    told: dict[str, Any] = {}
    with tracing({guided_grad_cam: lambda variables, _: told.update(variables)}):
        result = guided_grad_cam(net, x, score, layer)
    return ProductWalkthrough(told["lines"][0], told["region"][0], result[0])


def of_score_cam(
    net: nn.Module, x: Tensor, score: Score, layer: nn.Module, progress: Progress | None = None
) -> ScoreCamWalkthrough:
    """The masked pictures of Score-CAM, what the network says of each, and its weights."""
    told: dict[str, Any] = {}
    pictures: list[Tensor] = []

    def masked(variables: Mapping[str, Any], _: Any) -> None:
        pictures.append(_small(variables["x"]))

    with tracing({masked_scores.masked_cam: lambda variables, _: told.update(variables), forward: masked}):
        result = score_cam(net, x, score, layer, progress=progress)
    weight = told["weight"]
    # The last passes are the masked ones; those before belong to the layer's own activations.
    return ScoreCamWalkthrough(torch.cat(pictures)[-len(weight) :], told["scores"], weight, told["channels"], result[0])


def of_integrated_gradients(
    net: nn.Module, x: Tensor, score: Score, steps: int = 32, progress: Progress | None = None
) -> PathWalkthrough:
    """The way from the baseline to the picture, and what each step adds."""
    told: dict[str, Any] = {}
    pictures: list[Tensor] = []
    gradients: list[Tensor] = []
    sums: list[Tensor] = []

    def step(variables: Mapping[str, Any], gradient: Tensor) -> None:
        pictures.append(_small(variables["x"].detach()))
        gradients.append(_small(gradient.abs().sum(dim=1, keepdim=True))[:, 0])
        sums.append((gradient * (x - baseline)).sum(dim=(1, 2, 3)))

    baseline = torch.zeros_like(x)
    with tracing({integrated_gradients: lambda variables, _: told.update(variables), input_gradient: step}):
        result = integrated_gradients(net, x, score, steps=steps, progress=progress)
    place, weight = told["place"].flatten(), told["weight"].flatten()
    return PathWalkthrough(
        place, torch.cat(pictures), torch.cat(gradients), torch.cat(sums) * weight, float(told["rise"]), result[0]
    )


def of_lrp(net: nn.Module, x: Tensor, score: Score, layers: Mapping[str, nn.Module]) -> RelevanceWalkthrough:
    """How much relevance arrives at each of `layers` (by name, early to late), and at the pixels."""
    result = lrp(net, x, score)
    sums = relevance_per_layer(net, x, score, list(layers.values()), composites()["epsilon-gamma-box"])
    with torch.no_grad():
        whole = float(score_of(score, forward(net, x)))
    return RelevanceWalkthrough(whole, tuple(layers), tuple(float(one) for one in sums), result[0])


def rules(gradient: Tensor, slope: Tensor) -> dict[str, Tensor]:
    """What each rule passes back through a ReLU: by name, of the shape of `gradient`."""
    return {
        Message("plain gradient"): gradient * slope,
        Message("deconvnet"): deconvolved(gradient, slope),
        Message("guided backpropagation"): guided(gradient, slope),
    }


def _rectified(
    method: Callable[..., Tensor],
    rule: Callable[[Tensor, Tensor], Tensor],
    net: nn.Module,
    x: Tensor,
    score: Score,
) -> ReluWalkthrough:
    found: list[tuple[Tensor, Tensor]] = []

    def see(variables: Mapping[str, Any], _: Any) -> None:
        gradient, slope = variables["gradient"], variables["slope"]
        found.append((gradient[0], torch.as_tensor(slope, device=gradient.device).expand_as(gradient)[0]))

    with tracing({rule: see}):
        result = method(net, x, score)
    bends: Sequence[ReluStep] = [ReluStep(len(found) - 1 - back, *pair) for back, pair in enumerate(found)]
    return ReluWalkthrough(result[0], tuple(reversed(bends)))


def _small(pictures: Tensor) -> Tensor:
    return interpolate(pictures, size=(THUMBNAIL, THUMBNAIL), mode="area")
