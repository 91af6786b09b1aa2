"""Many passes of one network at a lower cost each: batch norms fused, fast convolutions, channels-last batches."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import CamvizError
from ..runtime.batching import batch_size
from ..runtime.devices import fast_dtype, pays_to_replace_calls
from ..runtime.precision import is_fast
from ..runtime.progress import Progress
from ..runtime.rng import SeededOperations
from ..tape import (
    NetworkError,
    autocast_to,
    counting_passes,
    fingerprint,
    forward,
    intercepting,
    is_checked,
    mark_batches_of_one,
    near,
    needs_batches_of_one,
    usual_modes,
)
from .conv_bn_fusion import FusedCalls, FusionMode
from .fusion_plan import FusionPlan
from .memory_layout import in_fastest_layout

MAX_RELATIVE_ERROR = 1e-5  # of the class scores, relative to the largest one


@dataclass(frozen=True)
class BatchSizes:
    """The number of samples in a batch, without and with gradients.

    It depends on the network, and on an accelerator on its free memory.
    """

    size: int
    size_with_gradient: int


@contextmanager
def many_passes(
    net: nn.Module, x: Tensor, fusion: FusionMode = "weights", dtype: torch.dtype | None = None
) -> Iterator[BatchSizes]:
    """Run the passes of this network inside the context faster; they take batches of x's size `in_fastest_layout`.

    On the CPU, batch norms are fused into the convolutions before them, and wide 3 x 3 convolutions run by Winograd's
    algorithm. If the class scores of x then differ from those of the network by more than 1e-5 of the largest one, the
    network runs unchanged. It is only read. Calls are intercepted only if some of them are replaced.

    `fusion`: "weights" is for passes without gradients; "gradient" fuses in the backward pass only, so that each ReLU
    is active for the same inputs as in the network itself; "nothing" leaves the output of every module unchanged, for
    methods that read one. With `dtype`, the passes run under autocast to it, and the weights of the convolutions are
    converted once; in the mode "fast", passes without gradients run in the fastest dtype of the device.
    """
    if is_fast() and fusion == "weights" and x.dtype == torch.float32:
        dtype = dtype or fast_dtype(x.device)
    with usual_modes(), torch.no_grad():
        replace, sizes = _prepared(net, x, fusion, dtype)
    with nullcontext() if replace is None else intercepting(replace), autocast_to(dtype):
        yield sizes


def _prepared(
    net: nn.Module, x: Tensor, fusion: FusionMode, dtype: torch.dtype | None
) -> tuple[Callable[[Any, Any, Any], Any] | None, BatchSizes]:
    """Return the function that replaces calls (None if no call is replaced), and the sizes of the batches."""
    plan, fits = _plan_for(net, x[:1] if needs_batches_of_one(net) else x, fusion, winograd=dtype is None)
    alone = needs_batches_of_one(net)  # the plan may have found that it does
    fused = FusedCalls(plan, fusion, dtype) if fits else None
    work = plan.work - plan.saved_by_winograd * fits
    sizes = (
        1 if alone else batch_size(factor * work, x.device, plan.largest_tensor, kept)
        for factor, kept in ((1, 0), (2, plan.kept_bytes))
    )
    return fused if fused and fused.replaces_calls else None, BatchSizes(*sizes)


def partial_progress(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Return the progress callback for one of several equal parts of a computation; `number` counts from 0."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, parts * total)


_plans: WeakKeyDictionary[nn.Module, tuple[int, dict[Hashable, tuple[FusionPlan, bool]]]] = WeakKeyDictionary()


def _plan_for(net: nn.Module, x: Tensor, fusion: FusionMode, winograd: bool) -> tuple[FusionPlan, bool]:
    """Return the plan that a pass of x gives, and whether a second pass with it reproduces the network's scores.

    Both are kept until the network changes. If it is not known yet whether the network needs batches of one, the second
    pass also shows whether the scores of one image x depend on another one in its batch.
    """
    state, key = fingerprint(net), (x.shape[1:], x.dtype, x.device, fusion, winograd)
    before, plans = _plans.get(net, (None, {}))
    if before != state:
        plans = {}
    if key in plans:
        return plans[key]
    plan, fits = FusionPlan(), False
    # These passes are not counted as the method's.
    with torch.no_grad(), SeededOperations.apart(), counting_passes() as counts:
        with intercepting(plan.observe):
            scores = forward(net, x)
        if counts.forward_passes > len(x):  # it started again, so the plan saw its calls twice
            plan = FusionPlan()
            with intercepting(plan.observe):
                scores = forward(net, x)
        plan.finish(len(x))
        unknown = len(x) == 1 and not is_checked(net) and x.dtype in (torch.float32, torch.float64)
        batch = in_fastest_layout(torch.cat([1 - x / 2, x]) if unknown else x)
        if pays_to_replace_calls(x.device):
            try:
                with intercepting(FusedCalls(plan, fusion)):
                    again = forward(net, batch)[-len(x) :]
                fits = bool((again - scores).abs().max() <= MAX_RELATIVE_ERROR * scores.abs().max())
            except NetworkError:
                raise
            except CamvizError:  # fused weights may overflow
                fits = False
        if unknown and not is_checked(net):
            mark_batches_of_one(net, needed=not fits and not near(forward(net, batch)[-1:], scores))
    if plan.reusable:
        _plans[net] = state, plans | {key: (plan, fits)}
    return plan, fits
