"""Arguments of torch calls in a fixed order, however they were passed."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def conv_arguments(
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Any, ...]:
    """Return the arguments of a call of F.conv2d in its order."""
    return input, weight, bias, stride, padding, dilation, groups


def clamp_arguments(func: Any, input: Tensor, *others: Any, **named: Any) -> tuple[Any, ...]:
    """Return (input, low, high, inplace) of a call of F.relu6 or F.hardtanh."""
    if func is F.relu6:
        return input, 0.0, 6.0, *others, *named.values()
    return _hardtanh_arguments(input, *others, **named)


def _hardtanh_arguments(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> tuple[Any, ...]:
    return input, min_val, max_val, inplace


def pair(value: Any) -> Any:
    """Return a stride, padding or dilation as (vertical, horizontal)."""
    return (value, value) if isinstance(value, int) else tuple(value)
