"""Zeros that a network writes around the input of a depthwise convolution, left to the convolution's own padding.

TensorFlow's "same" padding, as in EfficientNet, adds more zeros right and below than left and above. A kernel that is
extended by the difference gives the same result with symmetric padding, and the padded input is never written.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Zeros = Sequence[int]  # left, right, above, below; empty for none


def zeros_of_pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Zeros:
    """Return the zeros that a call of F.pad adds to feature maps; () where a convolution cannot add them itself.

    It cannot where there are more zeros on the left than on the right, or more above than below.
    """
    if input.ndim != 4 or len(pad) != 4 or mode != "constant" or value:
        return ()
    left, right, above, below = pad
    return tuple(pad) if 0 <= left <= right and 0 <= above <= below and right + below else ()


def extended(tensor: Tensor, zeros: Zeros) -> Tensor:
    """Return a kernel, or an input, with as many zeros on its left and upper side as `zeros` is asymmetric."""
    if not zeros:
        return tensor
    left, right, above, below = zeros
    return F.pad(tensor, (right - left, 0, below - above, 0))


class DeferredPadding:
    """Calls of F.pad that are postponed until a convolution reads their result."""

    def __init__(self) -> None:
        self._deferred: dict[int, tuple[Tensor, Tensor, Zeros]] = {}  # by id of the tensor returned in its place

    def defer(self, x: Tensor, zeros: Zeros) -> Tensor:
        """Return a tensor that stands for x with the zeros around it, without writing them."""
        alias = x.view_as(x)
        self._deferred[id(alias)] = alias, x, zeros
        return alias

    def take(self, x: Tensor) -> tuple[Tensor, Zeros]:
        """Return the input and the zeros that x stands for; x itself and () if its padding was not deferred."""
        _, source, zeros = self._deferred.pop(id(x), (None, x, ()))
        return source, zeros
