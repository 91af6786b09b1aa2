"""Check and convert the settings of a method and the arguments of its function, (net, x, score[, layer])."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import index
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor, nn

from .errors import CamvizError, LayerError, NotFiniteError, ScoreError, unknown
from .messages import Message
from .runtime.modules import every_module
from .runtime.progress import check_progress
from .scores import logit


@dataclass(frozen=True)
class Range:
    """The closed interval that a numeric knob may take, and the step of its slider."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True)
class Choices:
    """The values that a text knob may take, if a Literal cannot list them: `find()` returns the present ones."""

    find: Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Knob:
    """One setting: a keyword-only parameter of a method, as its signature declares it."""

    name: str
    type: type
    default: Any
    help: str = ""
    range: Range | None = None
    accepted: tuple[str, ...] | Choices = ()
    optional: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that a text knob may take; empty for a number or a switch."""
        return tuple(self.accepted.find()) if isinstance(self.accepted, Choices) else self.accepted

    def check(self, value: Any, owner: str) -> Any:
        """Return `value` converted to the knob's type. Raises CamvizError if it does not fit."""
        if value is None and self.optional:
            return None
        if choices := self.choices:
            if not isinstance(value, str) or value not in choices:
                where = Message("the choices of {owner}", owner=owner)
                raise unknown(Message(self.name), str(value)[:60], choices, where)
            return value
        try:
            number = self.type(value)
            whole = bool((self.range or math.isfinite(number)) and (self.type is float or number == value))
        except (TypeError, ValueError, OverflowError, RuntimeError):  # for example for an array of several numbers
            number, whole = None, False
        if not whole or (self.type is bool) != (type(value).__name__ in ("bool", "bool_")):  # Python's or NumPy's
            raise CamvizError(
                "{name} of {owner} must be {kind}; got {value}",
                name=self.name,
                owner=owner,
                kind=self.type.__name__,
                value=repr(value)[:60],
            )
        if self.range and not self.range.low <= number <= self.range.high:
            raise CamvizError(
                "{name} of {owner} must lie in {low:g} to {high:g}; got {value}",
                name=self.name,
                owner=owner,
                low=self.range.low,
                high=self.range.high,
                value=repr(value),
            )
        return number


def method_arguments(title: str, function: Callable[..., Any], args: Any, kwargs: Any) -> inspect.BoundArguments:
    """Return the arguments of a method's function, converted if their meaning is clear.

    A Model is replaced by its network, an integer by the score of this class, a name by the layer of this name, a
    single input (C, H, W) by a batch of one, a NumPy array by a tensor. Raises CamvizError for anything else.
    """
    signature = _signature(function)
    try:
        given = signature.bind(*args, **kwargs)
    except TypeError as error:
        names = ", ".join(name for name, one in signature.parameters.items() if one.default is one.empty)
        raise CamvizError(
            "{method} is called with {names} and its settings by name: {reason}",
            method=title,
            names=names,
            reason=str(error),
        ) from error
    found = given.arguments
    found["net"] = net = _network(found["net"])
    found["x"] = _batch(net, found["x"])
    found["score"] = _score(found["score"])
    if found.get("layer") is not None:
        found["layer"] = _layer(net, found["layer"])
    check_progress(found.get("progress"))
    return given


_signature = cache(inspect.signature)


def _network(net: Any) -> nn.Module:
    inner = getattr(net, "net", None)
    if not isinstance(net, nn.Module) and isinstance(inner, nn.Module):
        return inner
    if not isinstance(net, nn.Module):
        raise CamvizError(
            "a method explains a network: an nn.Module, or a Model as load_model returns it; got {kind}",
            kind=type(net).__name__,
        )
    return net


def _batch(net: nn.Module, x: Any) -> Tensor:
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        x = torch.from_numpy(np.ascontiguousarray(x))
    if not isinstance(x, Tensor) or x.is_meta or x.layout != torch.strided:
        raise CamvizError(
            "a method takes the network's input x, a tensor (batch, channels, height, width), as "
            "model.preprocess(image) returns it; got {kind}",
            kind=f"{x.layout}, {x.device}" if isinstance(x, Tensor) else type(x).__name__,
        )
    if not x.is_floating_point():
        raise CamvizError(
            "a method takes the normalized input of the network, floating point numbers as model.preprocess(image) "
            "returns them; got {dtype}",
            dtype=str(x.dtype),
        )
    if x.ndim == 3:
        x = x[None]
    if x.ndim != 4 or 0 in x.shape:
        raise CamvizError(
            "a method takes an input of shape (batch, channels, height, width), none of them 0; got {shape}",
            shape=tuple(x.shape),
        )
    weight = next((one for one in net.parameters() if one.is_floating_point()), None)
    plain: Tensor = x.detach()
    return plain if weight is None else plain.to(weight.device, weight.dtype)


def _score(score: Any) -> Any:
    if callable(score):
        return score
    if isinstance(score, SupportsIndex) and not isinstance(score, bool | np.bool_):
        try:
            return logit(index(score))
        except TypeError:  # a tensor of several elements
            pass
    raise ScoreError(
        "a score is a function from class scores (B, K) to one number for each sample, such as "
        "camviz.scores.logit(7), or the index of a class; got {score}",
        score=repr(score)[:60],
    )


def _layer(net: nn.Module, layer: Any) -> nn.Module:
    if isinstance(layer, nn.Module) and any(layer is one for one in every_module(net)):
        return layer
    if isinstance(layer, nn.Module):
        raise LayerError(
            "the network's forward pass does not run through this layer ({kind}): it is none of its modules; give "
            "one of them, or its dotted name",
            kind=type(layer).__name__,
        )
    modules = dict(net.named_modules())
    name = layer if isinstance(layer, str) else getattr(layer, "name", None)
    if not isinstance(name, str):
        raise LayerError("a layer is a module of the network or its dotted name; got {layer}", layer=repr(layer)[:60])
    if name not in modules:
        raise unknown(Message("layer"), name, [one for one in modules if one], type(net).__name__)
    named: nn.Module = modules[name]
    return named


def checked_settings(knobs: Mapping[str, Any], given: inspect.BoundArguments, owner: str) -> None:
    """Check the settings among the arguments by the method's knobs. Raises CamvizError."""
    for name, knob in knobs.items():
        if name in given.arguments:
            given.arguments[name] = knob.check(given.arguments[name], owner)


def finite_map(title: str, result: Any) -> Any:
    """Return the map of a method; raise CamvizError if it holds nan or inf."""
    if hasattr(result, "isfinite") and not bool(result.isfinite().all()):
        raise NotFiniteError(
            "the map of {method} contains nan or inf: check that the image, the network's weights and the explained "
            "score are finite, or use another method",
            method=title,
        )
    return result
