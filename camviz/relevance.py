"""Layer-wise relevance propagation: a rule for each operation, a composite of rules, and what each torch call gets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .scores import Score
from .tape import gradient_sums, intercepting, note, score_of

Op = Callable[..., Tensor]  # a convolution or linear layer, op(x, w) or op(x, w, b); a pooling, op(x)
Rule = Callable[[Op, Tensor, Tensor, Tensor | None, Tensor], Tensor]

STABILIZER = 1e-6  # keeps every division but epsilon's own away from zero

# ---------------------------------------------------------------------------------------------------------- rules
# j runs over the inputs x of an operation, k over its outputs; w[jk] and b[k] are weights and biases (a batch
# norm's included); a+ = max(a, 0), a- = min(a, 0). R[k] is the relevance of output k; each rule returns R[j].


@dataclass(frozen=True)
class Epsilon:
    """R[j] = sum_k x[j] w[jk] / (z[k] + epsilon sign z[k]) * R[k], with z[k] = sum_j x[j] w[jk] + b[k]."""

    epsilon: float = STABILIZER

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        return share(op, [(x, w, b)], relevance, self.epsilon)


@dataclass(frozen=True)
class Gamma:
    """R[j] = sum_k c[jk] / sum_j c[jk] * R[k], with c[jk] = x[j] w[jk], those of the sign of z[k] times 1 + gamma."""

    gamma: float = 0.25

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        more, less = ((1 + self.gamma) * w - self.gamma * part for part in (w.clamp(max=0), w.clamp(min=0)))
        above, below = (None, None) if b is None else (b + self.gamma * b.clamp(min=0), b + self.gamma * b.clamp(max=0))
        high, low = x.clamp(min=0), x.clamp(max=0)
        z = op(x, w, b)
        positive = share(op, [(high, more, above), (low, less, None)], relevance * (z > 0))
        return positive + share(op, [(high, less, below), (low, more, None)], relevance * (z < 0))


@dataclass(frozen=True)
class AlphaBeta:
    """R[j] = sum_k ( alpha * (x[j] w[jk])+ / z+[k] - beta * (x[j] w[jk])- / z-[k] ) * R[k], with alpha - beta = 1.

    z+[k] = sum_j (x[j] w[jk])+ + b[k]+, and z-[k] likewise. alpha = 1 is the z-plus rule.
    """

    alpha: float = 1.0

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        high, low, more, less = x.clamp(min=0), x.clamp(max=0), w.clamp(min=0), w.clamp(max=0)
        above, below = (None, None) if b is None else (b.clamp(min=0), b.clamp(max=0))
        excited = share(op, [(high, more, above), (low, less, None)], self.alpha * relevance)
        return excited + share(op, [(high, less, below), (low, more, None)], (1 - self.alpha) * relevance)


@dataclass(frozen=True)
class Box:
    """R[j] = sum_k c[jk] / sum_j c[jk] * R[k], with c[jk] = x[j] w[jk] - low w[jk]+ - high w[jk]-, for low <= x <= high.

    For pixels, whose zero means nothing: each counts by its distance from the end of the box that would speak
    least for the output.
    """

    low: float = -3.0
    high: float = 3.0

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        low, high = torch.full_like(x, self.low), torch.full_like(x, self.high)
        return share(op, [(x, w), (low, -w.clamp(min=0)), (high, -w.clamp(max=0))], relevance)


@dataclass(frozen=True)
class Flat:
    """R[j] = sum_k R[k] / (number of inputs of k): evenly to all that an output sees."""

    def __call__(self, op: Op, x: Tensor, w: Tensor, b: Tensor | None, relevance: Tensor) -> Tensor:
        return share(op, [(torch.ones_like(x), torch.ones_like(w))], relevance)


def share(op: Op, parts: Sequence[tuple[Any, ...]], relevance: Tensor, epsilon: float = STABILIZER) -> Tensor:
    """R[j] = sum over parts of x[j] w[jk] R[k] / z[k], where z is the sum of op(*part); a part is (x, w, b)."""
    if not relevance.any():
        return torch.zeros_like(parts[0][0])
    inputs, outputs = [], []
    with torch.enable_grad():
        for index, (x, *parameters) in enumerate(parts):
            if index == 0 or x.any():  # after a ReLU nothing is negative: half of the work
                inputs.append(x.detach().requires_grad_())
                outputs.append(op(inputs[-1], *parameters))
        z = torch.stack(outputs).sum(dim=0) if len(outputs) > 1 else outputs[0]
        slopes = torch.autograd.grad(z, inputs, relevance / stable(z.detach(), epsilon))
    return torch.stack([x.detach() * slope for x, slope in zip(inputs, slopes, strict=True)]).sum(dim=0)


def stable(z: Tensor, epsilon: float = STABILIZER) -> Tensor:
    """z, moved away from zero by epsilon."""
    return z + epsilon * (2 * (z >= 0).to(z.dtype) - 1)


# ------------------------------------------------------------------------------------------------------ composites


@dataclass(frozen=True)
class Composite:
    """Which rule is followed, by depth: by the first convolution, by the others, and by linear layers.

    The rest is the same in all. Activations and normalisations pass relevance on as it is; additions of two
    branches and average pooling share it in proportion; max-pooling gives it to the maximum. In a product of two
    branches one is a gate (the smaller one, or what comes from a sigmoid): it is a constant and gets nothing.
    """

    first: Rule
    convolution: Rule
    linear: Rule


@contextmanager
def propagating(composite: Composite) -> Iterator[None]:
    """Within it, what autograd carries backward is relevance. A batch norm counts as part of the layer before it."""
    propagation = _Propagation(composite)
    with intercepting(propagation):
        yield
    if propagation.unruled:
        note(
            f"Relevance has no rule for {', '.join(sorted(propagation.unruled))}, which passed on the plain gradient: "
            "the map need not sum up to the score."
        )


def relevance_of(score: Score) -> Score:
    """The relevance of each class output, z * dS/dz: it sums up to S where S is a sum of outputs, as logit and contrast."""

    def explained(scores: Tensor) -> Tensor:
        z = scores.detach().requires_grad_()
        value = score_of(score, z)
        if not value.requires_grad:
            return value
        (slope,) = torch.autograd.grad(value.sum(), z)
        return (scores * (z * slope).detach()).sum(dim=1)

    return explained


def relevance_per_layer(
    net: nn.Module, x: Tensor, score: Score, layers: Sequence[nn.Module], composite: Composite
) -> tuple[Tensor, ...]:
    """The sum of the relevance that arrives at the output of each layer, (B,): the same everywhere where no bias takes part."""
    with propagating(composite):
        return gradient_sums(net, x, relevance_of(score), layers)


# ------------------------------------------------------------------------------------------- what each call becomes


class _Ruled(torch.autograd.Function):
    """A value computed before, of which `back(relevance, *kept)` is what goes back to `inputs`."""

    @staticmethod
    def forward(ctx: Any, value: list[Tensor], back: Callable[..., Any], kept: Sequence[Tensor], *inputs: Tensor) -> Any:
        ctx.back = back
        ctx.save_for_backward(*kept)
        return value[0]

    @staticmethod
    def backward(ctx: Any, *relevances: Any) -> Any:
        return None, None, None, *ctx.back(relevances[0], *ctx.saved_tensors)


@dataclass
class _Affine:
    """A convolution or linear layer, which a batch norm may join after it ran and before anything goes back."""

    op: Op
    rule: Rule
    weight: Tensor
    bias: Tensor | None
    joined: bool = False

    def __call__(self, relevance: Tensor, x: Tensor) -> tuple[Tensor]:
        return (self.rule(self.op, x, self.weight, self.bias, relevance),)

    def join(self, mean: Tensor, var: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> None:
        scale = (torch.ones_like(var) if weight is None else weight) / (var + eps).sqrt()
        shift = -mean if self.bias is None else self.bias - mean
        self.weight = self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        self.bias = shift * scale if bias is None else shift * scale + bias
        self.joined = True


@dataclass
class _Pass:
    """Relevance goes on as it is, in equal shares where there are two inputs, summed where one was broadcast."""

    shapes: Sequence[torch.Size]
    gate: bool = False

    def __call__(self, relevance: Tensor) -> tuple[Tensor, ...]:
        return tuple((relevance / len(self.shapes)).sum_to_size(shape) for shape in self.shapes)


class _Propagation:
    """Replaces the calls of one forward pass by what the composite says."""

    def __init__(self, composite: Composite) -> None:
        self.composite, self.first, self.unruled = composite, True, set[str]()

    def __call__(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__.strip("_")
        handle, names = _RULED.get(name, (None, ()))
        kwargs = {key: _constant(value) for key, value in kwargs.items()}
        leading = [kwargs.pop(key) for key in names[len(args) :] if key in kwargs]
        args = [*map(_constant, args), *leading]
        if handle and (result := handle(self, name, func, args, kwargs)) is not None:
            return result
        result = func(*args, **kwargs)
        if name not in _ROUTING and isinstance(result, Tensor) and result.requires_grad:
            self.unruled.add(name)
        return result

    def affine(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, weight, bias, *others = [*args, None] if len(args) == 2 else args
        if not x.requires_grad:
            return None

        def op(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
            result: Tensor = func(x, w, b, *others, **kwargs)
            return result

        rule = self.composite.linear
        if name != "linear":
            rule, self.first = self.composite.first if self.first else self.composite.convolution, False
        with torch.no_grad():
            value = op(x, weight, bias)
        return _ruled(value, _Affine(op, rule, weight.detach(), bias), [x], [x])

    def batch_norm(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, mean, var, weight, bias, training = [*args, *[None] * (6 - len(args))][:6]
        before = x.grad_fn
        while before is not None and before.name() == "CloneBackward0":  # whoever listens clones what it keeps
            before = before.next_functions[0][0]
        layer = getattr(before, "back", None)
        if isinstance(layer, _Affine) and not layer.joined and not training and mean is not None:
            layer.join(mean, var, weight, bias, args[7] if len(args) > 7 else kwargs.get("eps", 1e-5))
        return self.passing(name, func, args, kwargs)

    def passing(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        return _passed(func, args, kwargs, args[:1], name in _GATES)

    def pooling(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        x, *others = args
        if not x.requires_grad:
            return None

        def op(x: Tensor) -> Tensor:
            result: Tensor = func(x, *others, **kwargs)
            return result

        with torch.no_grad():
            value = op(x)
        return _ruled(value, lambda relevance, x: (share(op, [(x,)], relevance),), [x], [x])

    def addition(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor | None:
        branches = [value for value in args[:2] if _depends(value)]
        if len(branches) < 2:
            return _passed(func, args, kwargs, branches)
        value, in_place = _compute(func, args, kwargs)
        one, other = branches
        with torch.no_grad():
            contributions = func(one.clone(), torch.zeros_like(other), **kwargs), func(torch.zeros_like(one), other, **kwargs)
            shares = [contribution / stable(value) for contribution in contributions]

        def back(relevance: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
            return tuple((s * relevance).sum_to_size(b.shape) for s, b in zip(shares, shapes, strict=True))

        result = _ruled(value, back, shares, branches)
        return one.copy_(result) if in_place else result
