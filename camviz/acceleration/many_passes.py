"""Many passes of one network, each made cheaper than its modules would: the same numbers to about 1e-6."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..runtime.batching import batch_size
from ..runtime.progress import Progress
from ..tape import counting_passes, forward, intercepting
from .conv_bn_fusion import FusionPlan, call_unchanged, channels_last

FusionMode = Literal["weights", "gradient", "nothing"]


@dataclass(frozen=True)
class BatchSizes:
    """How many samples make a batch, by the network's work, so that it is the same every time."""

    size: int
    size_with_gradient: int


@contextmanager
def many_passes(
    net: nn.Module, x: Tensor, fold: FusionMode = "weights", dtype: torch.dtype | None = None
) -> Iterator[BatchSizes]:
    """Within it, passes of this network take channels-last batches of x's size in the quickest way.

    On the CPU batch norms are folded into the convolutions before them, and wide 3 x 3 convolutions run by Winograd's
    algorithm, if that gives the network's own scores for x. The network itself is only read. `fold`: "weights" is for
    passes without gradients; "gradient" folds only on the way back, so that each ReLU opens exactly where it does in
    the network itself; "nothing" leaves every module its own output, for methods that look at one. With `dtype` the
    convolutions' weights are kept in it, for passes under autocast.
    """
    plan, fits = _plan_for(net, x, fold, winograd=dtype is None)
    quick: Callable[[Any, Any, Any], Any] = call_unchanged
    if fits:
        quick = plan.quick(fold, winograd=dtype is None)
        if dtype:
            plan.convert(dtype)
    work = plan.work - plan.saved * fits
    with intercepting(quick):
        yield BatchSizes(batch_size(work, x.device, plan.room), batch_size(2 * work, x.device, plan.room))


def partial_progress(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """The progress of one of several equal parts of a computation, number 0 being the first."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, parts * total)


_plans: WeakKeyDictionary[nn.Module, tuple[int, dict[Hashable, tuple[FusionPlan, bool]]]] = WeakKeyDictionary()


def _plan_for(net: nn.Module, x: Tensor, fold: FusionMode, winograd: bool) -> tuple[FusionPlan, bool]:
    """What two passes of x tell: the plan, for one picture, and whether it gives the network's own scores.

    It is kept for as long as the network stays as it is.
    """
    state, key = fingerprint(net), (x.shape[1:], x.dtype, x.device, fold, winograd)
    before, plans = _plans.get(net, (None, {}))
    if before != state:
        plans = {}
    if key in plans:
        plan, fits = plans[key]
        return plan.again(), fits
    plan, fits = FusionPlan(), False
    with torch.no_grad(), counting_passes():  # passes that are none of the method's own
        with intercepting(plan.watch):
            scores = forward(net, x)
        plan.learn(len(x))
        if x.device.type == "cpu":  # an accelerator waits longer for its orders than it takes for these savings
            with intercepting(plan.again().quick(fold, winograd)):
                again = forward(net, channels_last(x))
            fits = bool((again - scores).abs().max() <= 1e-3 * scores.abs().max())
    if plan.lasting:
        _plans[net] = state, plans | {key: (plan, fits)}
    return plan.again(), fits


def fingerprint(net: nn.Module) -> int:
    """A number that changes with a network: its modules, their settings and hooks, its tensors and their values."""
    return hash(tuple((id(getattr(type(module), "forward", None)), _token(vars(module))) for module in net.modules()))


def _token(value: Any) -> Hashable:
    if isinstance(value, dict):
        held = value.copy().items()  # a copy, as other threads may run the network, and write to itself as it runs
        return tuple((key, _token(one)) for key, one in held)
    if isinstance(value, Tensor):
        return id(value), 0 if value.is_inference() else value._version
    if isinstance(value, list | tuple | set):
        return tuple(map(_token, value))
    return value if isinstance(value, bool | int | float | str | None) else id(value)
