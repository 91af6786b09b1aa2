"""The arguments of a batch norm, and its scale and shift in evaluation mode."""

from typing import Any

from torch import Tensor


def norm_arguments(
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Any, ...]:
    """Return the arguments of a call of F.batch_norm in its order, however they were passed."""
    return input, running_mean, running_var, weight, bias, training, momentum, eps


def scale_and_shift(
    mean: Tensor, variance: Tensor, weight: Any, bias: Any, training: bool, momentum: float, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift of each channel by a batch norm in evaluation mode."""
    scale = (1 if weight is None else weight) / (variance + eps).sqrt()
    return scale, (0 if bias is None else bias) - mean * scale
