"""Conv-BN fusion by replacing torch calls: the network itself is only read."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tape import ANY_LAYOUT, norm_arguments
from .call_arguments import clamp_arguments, conv_arguments, pair
from .fusion_plan import Convolution, FusionPlan
from .winograd import Kernel

FusionMode = Literal["weights", "gradient", "nothing"]


def channels_last(x: Tensor) -> Tensor:
    """Return x in channels-last memory layout, the fastest on the CPU."""
    return x.contiguous(memory_format=torch.channels_last)


class FusedCalls:
    """Replaces the torch calls of a network by faster ones: `fused(func, args, kwargs)`.

    `mode`: "weights" fuses a batch norm into the weight of the convolution before it; "gradient" fuses the two in the
    backward pass only; "nothing" fuses none. With `dtype`, the weights are converted to it.
    """

    def __init__(self, plan: FusionPlan, mode: FusionMode, dtype: torch.dtype | None = None) -> None:
        self._plan, self._mode = plan, mode  # the plan also keeps the tensors alive whose ids are used as keys
        fusible = plan.fusible() if mode != "nothing" else set()
        self._convolutions = {
            key: _FusedConvolution.of(one, mode if key in fusible else "nothing", dtype)
            for key, one in plan.convolutions.items()
            if one.runs == 1
        }
        fused_norms = (plan.convolutions[key].batch_norm or () for key in fusible)
        self._fused_means = {id(mean) for mean, *_ in fused_norms} if mode == "weights" else set()
        winograd = any(one.winograd for one in self._convolutions.values())
        self.replaces_calls = bool(fusible or winograd or dtype)  # whether any call is replaced by another one
        self._waiting: dict[int, tuple[Tensor, Any, list[Tensor], _FusedConvolution]] = {}  # by id(result)

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is F.conv2d:
            return self._convolve(*conv_arguments(*args, **kwargs))
        if func is F.batch_norm:
            x, mean, *_ = norm_arguments(*args, **kwargs)
            if id(x) in self._waiting:
                return _FusedBatchNorm.apply(*self._waiting.pop(id(x)))
            if id(mean) in self._fused_means:
                return x
        if func in (F.relu6, F.hardtanh) and self._mode == "gradient":
            x, low, high, inplace = clamp_arguments(func, *args, **kwargs)
            if inplace and x.requires_grad and not x.is_leaf:
                return _InPlaceClamp.apply(x, low, high)
        return ANY_LAYOUT.get(func, func)(*args, **kwargs)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None, *shape: Any) -> Tensor:
        if (convolution := self._convolutions.get(id(weight))) is None:
            return F.conv2d(x, weight, bias, *shape)
        if convolution.backward is None or not torch.is_grad_enabled():
            return convolution(x, shape)
        with torch.no_grad():
            result = convolution(x, shape)
        self._waiting[id(result)] = x, shape, [result], convolution  # its batch norm comes next
        return result


@dataclass
class _FusedConvolution:
    """A convolution in its faster form."""

    weight: Tensor
    bias: Tensor | None
    winograd: Kernel | None
    batch_norm: tuple[Any, ...] | None
    backward: Tensor | Kernel | None  # carries the gradient back through batch norm and convolution at once

    @classmethod
    def of(cls, convolution: Convolution, mode: FusionMode, dtype: torch.dtype | None) -> "_FusedConvolution":
        """Return the faster form of a convolution, fused with its batch norm unless `mode` is "nothing"."""
        winograd = convolution.winograd and dtype is None
        weight, bias = convolution.weight, convolution.bias
        backward: Tensor | Kernel | None = None
        if mode == "weights":
            weight, bias = convolution.with_batch_norm()
        elif mode == "gradient":
            fused, _ = convolution.with_batch_norm()
            backward = Kernel(fused) if winograd else channels_last(fused)
        weight = weight.detach()
        kernel = Kernel(weight, bias) if winograd else None
        if dtype:
            weight = channels_last(weight.to(dtype))
        return cls(weight, bias, kernel, convolution.batch_norm, backward)

    def __call__(self, x: Tensor, shape: tuple[Any, ...]) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, *shape) if self.winograd is None else self.winograd(x)


class _FusedBatchNorm(torch.autograd.Function):
    """The batch norm of a convolution's result; its backward pass goes through both in one step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shape: Any, results: list[Tensor], convolution: _FusedConvolution) -> Tensor:
        ctx.save_for_backward(x)
        ctx.backward_weight, ctx.shape = convolution.backward, shape
        (result,) = results  # in a list, so that autograd does not take it for an input
        mean, variance, weight, bias, training, momentum, epsilon = convolution.batch_norm or ()
        no = result.new_empty(0)
        torch.native_batch_norm(result, weight, bias, mean, variance, training, momentum, epsilon, out=(result, no, no))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,), weight = ctx.saved_tensors, ctx.backward_weight
        if isinstance(weight, Kernel):
            return weight.gradient(gradients[0]), None, None, None
        stride, padding, dilation, groups = ctx.shape
        shape = pair(stride), pair(padding), pair(dilation), False, (0, 0), groups
        needed = (True, False, False)  # the gradient with respect to the input only
        gradient, _, _ = torch.ops.aten.convolution_backward(gradients[0], x, weight, None, *shape, needed)
        return gradient, None, None, None


class _InPlaceClamp(torch.autograd.Function):
    """ReLU6 or hard tanh in place, without the copy of its input that torch keeps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Any:
        ctx.mark_dirty(F.hardtanh(x, low, high, inplace=True))
        ctx.save_for_backward(x)
        ctx.bounds = low, high
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return torch.ops.aten.hardtanh_backward(gradients[0], *ctx.saved_tensors, *ctx.bounds), None, None
