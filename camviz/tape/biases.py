"""The bias of each call, and the gradient of the score at it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..scores import Score
from .batch_norm import norm_arguments, scale_and_shift
from .forward_pass import forward
from .gradients import gradient_of, score_of
from .network.batches_of_one import isolated
from .network.not_finite import check_gradient
from .relu import OUT_OF_PLACE, SMOOTH, call_arguments, gate_of
from .rules import intercepting


def bias_of(func: Any, args: Any, kwargs: Any) -> Tensor | None:
    """Return the bias of a call, broadcastable to its output; None if it has none."""
    if func in (F.conv2d, F.linear):
        bias: Tensor | None = args[2] if len(args) > 2 else kwargs.get("bias")
        return bias if bias is None or func is F.linear else bias[:, None, None]
    if func is F.batch_norm:
        x, *norm = norm_arguments(*args, **kwargs)
        if norm[4]:  # in training
            return None
        _, shift = scale_and_shift(*norm)
        return shift.reshape(-1, *[1] * (x.ndim - 2))
    gate = gate_of(func, args, kwargs)
    if gate == (0, float("inf")) or (gate is None and func not in SMOOTH):
        return None
    x, others, kwargs, _ = call_arguments(func, args, kwargs)
    if gate is not None:
        return gate[1] * (x.detach() >= gate[1])
    x = x.detach().clone().requires_grad_()
    y: Tensor = OUT_OF_PLACE.get(func, func)(x, *others, **kwargs)
    (slope,) = torch.autograd.grad(y, x, torch.ones_like(y))
    return y - slope * x


@isolated
def bias_gradients(net: nn.Module, x: Tensor, score: Score) -> tuple[Tensor, list[Tensor], Tensor]:
    """Return the gradient dS/dx, the product of bias and gradient for each call with a bias, and S, (B,).

    The bias of a call z -> y is y - dy/dz * z: that of a convolution or a linear layer, the shift of a batch norm, the
    intercept of an activation's tangent (0 for ReLU). The products have the shape of y, channels first.
    """
    terms: list[Tensor | None] = []
    rows: Tensor | None = None  # output of a linear layer on feature maps, channels last, as in ConvNeXt

    def listen(func: Any, args: Any, kwargs: Any) -> Any:
        nonlocal rows
        added, last = bias_of(func, args, kwargs), func is F.linear or any(arg is rows for arg in args[:1])
        result = func(*args, **kwargs)
        if added is not None and result.requires_grad:
            place, channels = len(terms), -1 if last else 1
            terms.append(None)

            def keep(gradient: Tensor) -> None:
                terms[place] = (gradient * added.detach()).movedim(channels, 1)

            result.register_hook(keep)
        rows = result if func is F.linear else rows
        return result

    x = x.detach().requires_grad_()
    with intercepting(listen, every_step=True), torch.enable_grad():
        explained = score_of(score, forward(net, x))
    gradient = gradient_of(explained, x)
    check_gradient(net, x, gradient, lambda x: score(forward(net, x)))
    return gradient, [term for term in terms if term is not None], explained.detach()
