"""Rules of layer-wise relevance propagation, and composites that assign them to layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Op = Callable[..., Tensor]  # a convolution or linear layer, op(x, w) or op(x, w, b); a pooling, op(x)
RelevanceRule = Callable[[Op, Tensor, Tensor, Tensor | None, Tensor], Tensor]

STABILIZER = 1e-6  # keeps denominators away from zero, except in the epsilon rule, which has its own

# ---------------------------------------------------------------------------------------------------------- rules
# j runs over the inputs x of an operation, k over its outputs; w[jk] and b[k] are weights and biases (a batch
# norm's included); a+ = max(a, 0), a- = min(a, 0). R[k] is the relevance of output k; each rule returns R[j].


@dataclass(frozen=True)
class Epsilon:
    """R[j] = sum_k x[j] w[jk] / (z[k] + epsilon sign z[k]) * R[k], with z[k] = sum_j x[j] w[jk] + b[k]."""

    epsilon: float = STABILIZER

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        return redistribute(op, [(x, w, b)], relevance, self.epsilon)


@dataclass(frozen=True)
class Gamma:
    """R[j] = sum_k c[jk] / sum_j c[jk] * R[k], with c[jk] = x[j] w[jk], times 1 + gamma if of z[k]'s sign."""

    gamma: float = 0.25

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        more, less = w + self.gamma * w.clamp(min=0), w + self.gamma * w.clamp(max=0)
        above, below = (None, None) if b is None else (b + self.gamma * b.clamp(min=0), b + self.gamma * b.clamp(max=0))
        high, low = x.clamp(min=0), x.clamp(max=0)
        z = op(x, w, b)
        positive = redistribute(op, [(high, more, above), (low, less, None)], relevance * (z > 0))
        return positive + redistribute(op, [(high, less, below), (low, more, None)], relevance * (z < 0))


@dataclass(frozen=True)
class AlphaBeta:
    """R[j] = sum_k ( alpha * (x[j] w[jk])+ / z+[k] - beta * (x[j] w[jk])- / z-[k] ) * R[k], with alpha - beta = 1.

    z+[k] = sum_j (x[j] w[jk])+ + b[k]+, and z-[k] likewise. alpha = 1 is the z-plus rule.
    """

    alpha: float = 1.0

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        high, low, more, less = x.clamp(min=0), x.clamp(max=0), w.clamp(min=0), w.clamp(max=0)
        above, below = (None, None) if b is None else (b.clamp(min=0), b.clamp(max=0))
        excited = redistribute(op, [(high, more, above), (low, less, None)], self.alpha * relevance)
        return excited + redistribute(op, [(high, less, below), (low, more, None)], (1 - self.alpha) * relevance)


@dataclass(frozen=True)
class ZBox:
    """R[j] = sum_k c[jk] / sum_j c[jk] * R[k], with c[jk] = x[j] w[jk] - low w[jk]+ - high w[jk]-.

    For pixels, whose zero has no meaning: each contributes by its distance from the end of the range [low, high]
    that lowers the output most.
    """

    low: float = -3.0
    high: float = 3.0

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        low, high = torch.full_like(x, self.low), torch.full_like(x, self.high)
        return redistribute(op, [(x, w), (low, -w.clamp(min=0)), (high, -w.clamp(max=0))], relevance)


@dataclass(frozen=True)
class Flat:
    """R[j] = sum_k R[k] / (number of inputs of k): evenly to all inputs of an output."""

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        return redistribute(op, [(torch.ones_like(x), torch.ones_like(w))], relevance)


def redistribute(op: Op, parts: Sequence[tuple[Any, ...]], relevance: Tensor, epsilon: float = STABILIZER) -> Tensor:
    """Return R[j] = sum over parts of x[j] w[jk] R[k] / z[k], where z is the sum of op(*part); a part is (x, w, b)."""
    if not relevance.any():
        return torch.zeros_like(parts[0][0])
    inputs, outputs = [], []
    with torch.enable_grad():
        for index, (x, *parameters) in enumerate(parts):
            if index == 0 or x.any():  # after a ReLU nothing is negative, which saves half of the work
                inputs.append(x.detach().requires_grad_())
                outputs.append(op(inputs[-1], *parameters))
        z = sum(outputs[1:], outputs[0])
        slopes = torch.autograd.grad(z, inputs, relevance / stabilized(z.detach(), epsilon))
    first, *others = [x.detach() * slope for x, slope in zip(inputs, slopes, strict=True)]
    total: Tensor = sum(others, first)
    return total


def stabilized(z: Tensor, epsilon: float = STABILIZER) -> Tensor:
    """Return z moved away from zero by epsilon."""
    return z + epsilon * (2 * (z >= 0).to(z.dtype) - 1)


# ------------------------------------------------------------------------------------------------------ composites


@dataclass(frozen=True)
class Composite:
    """The rules of the first convolution, of the other convolutions, and of linear layers.

    Other calls are treated alike in all composites. Activations, normalizations, constant factors and constant terms
    pass relevance on unchanged; additions of two branches and average pooling distribute it in proportion; max-pooling
    gives it to the maximum. In a product of two branches, one is a gate (the smaller one, or the output of a sigmoid)
    and is treated as constant; so are the weights of attention in a product of matrices.
    """

    first: RelevanceRule
    convolution: RelevanceRule
    linear: RelevanceRule
