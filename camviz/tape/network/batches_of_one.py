"""Networks whose result for a sample depends on the other samples of its batch: they run on one sample at a time."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from ...scores import Score
from .calling_modes import usual_modes
from .errors import StartAgainError
from .gradient_cut import explained_cut
from .not_finite import input_not_finite, value_not_finite
from .quantized import NoGradientError, check_quantized, without_gradient

MAX_RELATIVE_DIFFERENCE = 1e-4
MOST_STARTS = 4  # of a pass: each may find one new fact about the network (its output, autocast, hooks, batches)

P = ParamSpec("P")
R = TypeVar("R")

_running: ContextVar[bool] = ContextVar("camviz_isolated", default=False)  # whether a decorated function is running
_checked: WeakSet[nn.Module] = WeakSet()
_alone: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def needs_batches_of_one(net: nn.Module) -> bool:
    """Return whether a network must run on one sample at a time.

    `mark_batches_of_one` sets it. By default it is True for a network with a batch norm without running statistics.
    """
    if (known := _alone.get(net)) is None:
        known = _alone[net] = any(isinstance(one, _BatchNorm) and one.running_mean is None for one in net.modules())
    return known


def mark_batches_of_one(net: nn.Module, needed: bool = True) -> None:
    """Mark a network to run on one sample at a time or, if that is not `needed`, in batches without another check."""
    _alone[net] = needed or needs_batches_of_one(net)
    _checked.add(net)


def is_checked(net: nn.Module) -> bool:
    """Return whether it has been checked if this network needs batches of one."""
    return net in _checked


def near(found: Tensor, expected: Tensor) -> bool:
    """Return whether class scores are equal up to the rounding of batches, about 1e-6 of the largest score."""
    difference = (found - expected).abs().masked_fill(found == expected, 0)  # both may be -inf
    largest = expected[expected.isfinite()].abs().amax() if expected.isfinite().any() else 0
    return bool((difference <= MAX_RELATIVE_DIFFERENCE * largest).all())


def isolated(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of (net, x, ...) that returns tensors with one entry for each sample of the batch x.

    It runs without the caller's inference mode and autocast. If the network needs batches of one, the function runs for
    each sample, and the results are concatenated.
    """
    signature = inspect.signature(function)
    gradients = "score" in signature.parameters

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        x = given.arguments["x"]
        outermost = not _running.get()
        token = _running.set(True)
        try:
            with usual_modes():
                if x.is_inference():
                    given.arguments["x"] = x.clone()
                for _ in range(MOST_STARTS if outermost else 0):
                    with suppress(StartAgainError):
                        return once(given, outermost)
                return once(given, outermost)
        finally:
            _running.reset(token)

    def once(given: inspect.BoundArguments, outermost: bool) -> R:
        net, x = given.arguments["net"], given.arguments["x"]
        if len(x) <= 1 or not needs_batches_of_one(net):
            try:
                result = function(*given.args, **given.kwargs)
                if gradients:
                    check_quantized(net, tree_leaves(result))
                return result
            except StartAgainError:
                raise
            except Exception as error:
                if gradients and (value := value_not_finite(x)):
                    raise input_not_finite(value) from error
                if gradients and (explained := without_gradient(net, error)):
                    raise explained from error
                if isinstance(error, NoGradientError):
                    layer = given.arguments.get("layer")
                    raise (explained_cut(net, x, layer, lambda some: net(some.clone())) or error) from None
                # The pass may have shown that the network accepts no batches.
                if len(x) <= 1 or not outermost or not needs_batches_of_one(net):
                    raise
        results = [function(*one.args, **one.kwargs) for one in _samples(given)]
        joined: R = _concatenated(results)
        return joined

    return run


def _samples(given: inspect.BoundArguments) -> list[inspect.BoundArguments]:
    """Return the arguments for each sample alone."""
    x, score = given.arguments["x"], given.arguments.get("score")
    found = []
    for number in range(len(x)):
        alone = inspect.BoundArguments(given.signature, given.arguments.copy())
        alone.arguments["x"] = x[number : number + 1]
        if score is not None:
            alone.arguments["score"] = _of_sample(score, number, len(x))
        found.append(alone)
    return found


def _of_sample(score: Score, number: int, samples: int) -> Score:
    """Return the score of one sample of a batch, for a batch of this sample alone."""
    return lambda values: score(values.expand(samples, *values.shape[1:]))[number : number + 1]


def _concatenated(results: list[Any]) -> Any:
    """Return the results of single samples, tensors or tuples and lists of them, as the result of one batch."""
    leaves = [tree_flatten(result)[0] for result in results]
    joined: list[Tensor] = [torch.cat(parts) for parts in zip(*leaves, strict=True)]
    return tree_unflatten(joined, tree_flatten(results[0])[1])


def fails_in_batches(run: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Return whether `run`, a plain pass (B, C, H, W) -> (B, K), fails for the batch x and not for its first sample."""

    def fails(samples: Tensor) -> bool:
        try:
            return len(run(samples)) != len(samples)
        except Exception:  # noqa: BLE001  # a network may raise anything
            return True

    with torch.no_grad():
        return fails(x) and not fails(x[:1])
