"""The convolutions of a network, their batch norms and the work of a forward pass, found by observing one pass."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..tape import TO_NUMBERS, norm_arguments, scale_and_shift
from .call_arguments import conv_arguments
from .winograd import suits_winograd


@dataclass
class Convolution:
    """A convolution of the network, identified by its weight (K, C, h, w)."""

    weight: Tensor
    bias: Tensor | None
    winograd: bool  # whether Winograd's algorithm computes it faster
    runs: int = 1
    batch_norm: tuple[Any, ...] | None = None  # of the batch norm that reads the result: its arguments but the input
    readers: int = 0  # number of calls that read the result

    def with_batch_norm(self) -> tuple[Tensor, Tensor]:
        """Return the weight and bias of convolution and batch norm fused into one convolution."""
        assert self.batch_norm is not None
        scale, shift = scale_and_shift(*self.batch_norm)
        return self.weight * scale[:, None, None, None], shift + (0 if self.bias is None else self.bias * scale)


@dataclass
class FusionPlan:
    """The convolutions of a network, and the work of a forward pass.

    `observe` is called for each torch call of one pass, `finish` after it. From then on the plan does not change.
    """

    work: float = 0.0  # multiply-adds of one image
    saved_by_winograd: float = 0.0  # of them
    largest_tensor: int = 0  # bytes, of one image
    kept_bytes: int = 0  # of all results, of one image: about what a backward pass needs
    convolutions: dict[int, Convolution] = field(default_factory=dict)  # by id(weight)
    running_means: list[Tensor] = field(default_factory=list)  # one for each run of a batch norm
    reusable: bool = True  # False if the network reads values that it computes, so that another image may differ
    _results: dict[int, tuple[Tensor, Convolution]] = field(default_factory=dict)  # of convolutions, by id(result)

    def observe(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Make a torch call of the pass, and record what it shows."""
        result = func(*args, **kwargs)
        self.reusable &= func not in TO_NUMBERS
        if isinstance(result, Tensor) and result.ndim == 4:
            self.largest_tensor = max(self.largest_tensor, result.nbytes)
            if not any(one is result for one in args):  # not in place
                self.kept_bytes += result.nbytes
        if func is F.batch_norm:
            self._observe_batch_norm(*norm_arguments(*args, **kwargs))
        if result is None or any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):  # not a call such as size()
            self._observe_readers(func, args, kwargs)
        if func in (F.conv2d, F.linear):
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            work = result[0].numel() * len(result) * weight[0].numel()
            self.work += work
            if func is F.conv2d:
                self._observe_convolution(result, work, *conv_arguments(*args, **kwargs))
        return result

    def finish(self, images: int) -> None:
        """Release the tensors of the pass, and divide its work by the number of images."""
        self._results = {}
        self.work, self.saved_by_winograd = self.work / images, self.saved_by_winograd / images
        self.largest_tensor //= images
        self.kept_bytes //= images

    def fusible(self) -> set[int]:
        """Return id(weight) of each convolution that runs once and whose result one batch norm alone reads."""
        norm_runs = Counter(map(id, self.running_means))
        return {
            key
            for key, one in self.convolutions.items()
            if one.runs == 1 and one.batch_norm and one.readers == norm_runs[id(one.batch_norm[0])] == 1
        }

    def _observe_readers(self, func: Any, args: Any, kwargs: Any) -> None:
        for leaf in tree_leaves((args, kwargs)):
            if id(leaf) in self._results:
                self._results[id(leaf)][1].readers += 1

    def _observe_convolution(
        self, result: Tensor, work: float, x: Tensor, weight: Tensor, bias: Any, *shape: Any
    ) -> None:
        if id(weight) in self.convolutions:
            self.convolutions[id(weight)].runs += 1
            return
        winograd = suits_winograd(weight, result, *shape)
        self.saved_by_winograd += winograd * work / 2
        found = self.convolutions[id(weight)] = Convolution(weight, bias, winograd)
        self._results[id(result)] = result, found

    def _observe_batch_norm(self, x: Tensor, mean: Any, *others: Any) -> None:
        training = others[3]
        if training or mean is None:
            return
        self.running_means.append(mean)
        if id(x) in self._results:
            self._results[id(x)][1].batch_norm = (mean, *others)
