"""What makes many passes of a network cheaper: batch norms folded into convolutions, zeros that are never written."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..tape import ANY_LAYOUT, TO_NUMBERS, norm_arguments, scale_and_shift
from .winograd import NARROWEST, Kernel


def channels_last(x: Tensor) -> Tensor:
    """The same tensor in the memory layout that is the quickest for a batch."""
    return x.contiguous(memory_format=torch.channels_last)


@dataclass
class _Convolution:
    """A convolution of the network: its weight, the batch norm that alone reads its result, and a quicker form."""

    weight: Tensor
    bias: Tensor | None
    wide: bool  # 3 x 3 and with enough channels for Winograd's algorithm
    runs: int = 1
    norm: tuple[Any, ...] | None = None
    readers: int = 0
    before: Sequence[int] = ()  # zeros that alone it sees around its input: left, right, above, below
    kernel: Kernel | None = None
    back: Tensor | Kernel | None = None  # what takes the gradient back through the batch norm and this at once

    def folded(self, norm: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """Weight and bias with its batch norm in them."""
        scale, shift = scale_and_shift(*norm)
        return self.weight * scale[:, None, None, None], shift + (0 if self.bias is None else self.bias * scale)

    def padded(self, x: Tensor) -> Tensor:
        """A kernel (or an input) that begins earlier, by as many zeros as it sees more behind its input than before."""
        if not self.before:
            return x
        left, right, above, below = self.before
        return F.pad(x, (right - left, 0, below - above, 0))

    def given(self, x: Tensor, zeros: Sequence[int], shape: Any) -> tuple[Tensor, Any]:
        """The input, with the zeros around it left to the convolution where they are those that it expects."""
        if zeros and zeros == self.before:
            return x, [shape[0], (zeros[3], zeros[1]), *shape[2:]]
        return self.padded(F.pad(x, zeros) if zeros else x), shape

    def run(self, x: Tensor, shape: Any) -> Tensor:
        """The convolution of x, in its quicker form."""
        return F.conv2d(x, self.weight, self.bias, *shape) if self.kernel is None else self.kernel(x)


class _FusedBatchNorm(torch.autograd.Function):
    """A batch norm of a convolution's result, with both in one step on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shape: Any, results: list[Tensor], convolution: _Convolution) -> Tensor:
        ctx.save_for_backward(x)
        ctx.convolution, ctx.shape = convolution, shape
        result, (mean, variance, weight, bias, training, momentum, epsilon) = results[0], convolution.norm or ()
        no = result.new_empty(0)
        torch.native_batch_norm(result, weight, bias, mean, variance, training, momentum, epsilon, out=(result, no, no))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,), back = ctx.saved_tensors, ctx.convolution.back
        if isinstance(back, Kernel):
            return back.gradient(gradients[0]), None, None, None
        stride, padding, dilation, groups = ctx.shape
        stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
        found = torch.ops.aten.convolution_backward(
            gradients[0], x, back, None, stride, padding, dilation, False, (0, 0), groups, (True, False, False)
        )
        return found[0], None, None, None


class _InPlaceClamp(torch.autograd.Function):
    """ReLU6 and hard tanh in place, which torch itself keeps a copy of its input for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Any:
        ctx.mark_dirty(F.hardtanh(x, low, high, inplace=True))
        ctx.save_for_backward(x)
        ctx.ends = low, high
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return torch.ops.aten.hardtanh_backward(gradients[0], *ctx.saved_tensors, *ctx.ends), None, None


@dataclass
class FusionPlan:
    """What a first pass tells of a network: the convolutions, who reads their results, and the work."""

    work: float = 0.0
    saved: float = 0.0
    room: int = 0  # bytes of the largest tensor
    convolutions: dict[int, _Convolution] = field(default_factory=dict)  # by id(weight)
    results: dict[int, tuple[Tensor, _Convolution]] = field(default_factory=dict)  # by id(result)
    pads: dict[int, tuple[Tensor, Sequence[int]]] = field(default_factory=dict)  # by id(result)
    read: set[int] = field(default_factory=set)  # those of them that have been read
    late: bool = True  # whether each of them is read by one convolution, and nothing else
    lasting: bool = True  # whether another picture takes the same way through the network
    norms: list[Tensor] = field(default_factory=list)  # the running mean of each batch norm that ran

    def watch(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a call of the first pass, and note it."""
        result = func(*args, **kwargs)
        self.lasting &= func not in TO_NUMBERS
        if isinstance(result, Tensor) and result.ndim == 4:
            self.room = max(self.room, result.numel() * result.element_size())
        if func is F.batch_norm:
            self._norm(*norm_arguments(*args, **kwargs))
        if result is None or any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):  # not what asks for a size
            for leaf in tree_leaves((args, kwargs)):
                if id(leaf) in self.results:
                    self.results[id(leaf)][1].readers += 1
                if id(leaf) in self.pads:
                    self.late &= func is F.conv2d and id(leaf) not in self.read
                    self.read.add(id(leaf))
        if func is F.pad and (zeros := _zeros_behind(*args, **kwargs)):
            self.pads[id(result)] = result, zeros
        if func in (F.conv2d, F.linear):
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            work = result[0].numel() * len(result) * weight[0].numel()
            self.work += work
        if func is F.conv2d:
            self._convolution(result, work, *_conv_arguments(*args, **kwargs))
        return result

    def _convolution(self, result: Tensor, work: float, x: Tensor, weight: Tensor, bias: Any, *shape: Any) -> None:
        if id(weight) in self.convolutions:
            self.convolutions[id(weight)].runs += 1
            return
        wide = min(weight.shape[:2]) >= NARROWEST and weight.shape[2:] == (3, 3)
        wide = wide and tuple(map(_pair, shape)) == ((1, 1), (1, 1), (1, 1), (1, 1))
        self.saved += wide * work / 2
        found = self.convolutions[id(weight)] = _Convolution(weight, bias, wide)
        if weight.shape[1] == 1 and shape[1] in (0, (0, 0)) and shape[2] in (1, (1, 1)):  # else it would cost more
            _, found.before = self.pads.get(id(x), (None, ()))
        self.results[id(result)] = result, found

    def _norm(self, x: Tensor, mean: Any, *others: Any) -> None:
        training = others[3]
        if training or mean is None:
            return
        self.norms.append(mean)
        if id(x) in self.results:
            self.results[id(x)][1].norm = (mean, *others)

    def learn(self, pictures: int) -> None:
        """After the pass: let go of what it computed, and count for one of its pictures."""
        self.results, self.pads = {}, {}
        self.work, self.saved, self.room = self.work / pictures, self.saved / pictures, self.room // pictures

    def again(self) -> "FusionPlan":
        """The same, to be carried out with the weights that the network has now."""
        return replace(self, convolutions={key: replace(one) for key, one in self.convolutions.items()})

    def convert(self, dtype: torch.dtype) -> None:
        """Keep the weights of the convolutions in that precision; after `quick`."""
        for convolution in self.convolutions.values():
            convolution.weight = channels_last(convolution.weight.to(dtype))

    def quick(self, fold: str, winograd: bool) -> Callable[[Any, Any, Any], Any]:
        """What to do in place of each torch call."""
        waiting: dict[int, tuple[Tensor, Any, list[Tensor], _Convolution]] = {}  # results of convolutions, by their ids
        known: dict[int, tuple[Tensor, _Convolution]] = {}
        gone: dict[int, Tensor] = {}  # running means of batch norms that have been folded
        padded: dict[int, tuple[Tensor, Tensor, Sequence[int]]] = {}  # what stands for it, its input and the zeros
        norm_runs, late = Counter(map(id, self.norms)), self.late
        for convolution in self.convolutions.values():
            if convolution.runs > 1:
                continue
            known[id(convolution.weight)] = convolution.weight, convolution
            convolution.before = convolution.before if late else ()
            wide = convolution.wide and winograd
            if convolution.norm and convolution.readers == norm_runs[id(convolution.norm[0])] == 1:
                if fold != "nothing":
                    gone[id(convolution.norm[0])] = convolution.norm[0]
                    folded, bias = convolution.folded(convolution.norm)
                if fold == "weights":
                    convolution.weight, convolution.bias = folded, bias
                elif fold == "gradient":
                    convolution.back = Kernel(folded) if wide else channels_last(convolution.padded(folded))
            convolution.weight = convolution.padded(convolution.weight.detach())
            if wide:
                convolution.kernel = Kernel(convolution.weight, convolution.bias)

        def quick(func: Any, args: Any, kwargs: Any) -> Any:
            if late and func is F.pad and (zeros := _zeros_behind(*args, **kwargs)):
                x = args[0] if args else kwargs["input"]
                alias = x.view_as(x)
                padded[id(alias)] = alias, x, zeros
                return alias
            if func is F.conv2d:
                x, weight, bias, *shape = _conv_arguments(*args, **kwargs)
                _, x, zeros = padded.pop(id(x), (None, x, ()))
                if id(weight) not in known:
                    return F.conv2d(F.pad(x, zeros) if zeros else x, weight, bias, *shape)
                convolution = known[id(weight)][1]
                x, shape = convolution.given(x, zeros, shape)
                if convolution.back is None or not torch.is_grad_enabled():
                    return convolution.run(x, shape)
                with torch.no_grad():
                    result = convolution.run(x, shape)
                waiting[id(result)] = x, shape, [result], convolution
                return result
            if func is F.batch_norm:
                x, mean, *_ = norm_arguments(*args, **kwargs)
                if id(x) in waiting:
                    return _FusedBatchNorm.apply(*waiting.pop(id(x)))
                if id(mean) in gone and fold == "weights":
                    return x
            if func in (F.relu6, F.hardtanh) and fold == "gradient":
                x, low, high, inplace = _clamp_arguments(func, *args, **kwargs)
                if inplace and x.requires_grad and not x.is_leaf:
                    return _InPlaceClamp.apply(x, low, high)
            return call_unchanged(func, args, kwargs)

        return quick


def call_unchanged(func: Any, args: Any, kwargs: Any) -> Any:
    """The call as it is, for any memory layout."""
    return ANY_LAYOUT.get(func, func)(*args, **kwargs)


def _zeros_behind(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Sequence[int]:
    """How many zeros are put around feature maps, where there are some, and no more of them before than behind."""
    if input.ndim != 4 or len(pad) != 4 or mode != "constant" or value:
        return ()
    left, right, above, below = pad
    return tuple(pad) if 0 <= left <= right and 0 <= above <= below and right + below else ()


def _conv_arguments(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Any, ...]:
    return input, weight, bias, stride, padding, dilation, groups


def _clamp_arguments(func: Any, input: Tensor, *others: Any, **named: Any) -> tuple[Any, ...]:
    if func is F.relu6:
        return input, 0.0, 6.0, *others, *named.values()
    return _hardtanh_arguments(input, *others, **named)


def _hardtanh_arguments(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> tuple[Any, ...]:
    return input, min_val, max_val, inplace


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else tuple(value)
