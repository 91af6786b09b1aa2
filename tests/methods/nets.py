"""Tiny networks in float64, each with the same computation as a list of steps, and a backward pass written by hand.

`ByHand` uses neither autograd nor modules: every affine step becomes an explicit matrix, a ReLU a mask, max-pooling
a loop that stores the position of the maximum. The methods are compared with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import inf, pi
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.testing import assert_close

from camviz.tape import hooks, pass_counts, rules

SIZE = (20, 28)
CLASSES = 7


def random_images(batch=2, dtype=torch.float64, size=SIZE):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1), dtype=dtype)


# ------------------------------------------------------------------------------------------------------- networks


class Modules(nn.Module):
    """ReLU and ReLU6 modules, overlapping max-pooling, a strided convolution; ends in pooling and a linear layer."""

    layers: ClassVar = {"features.0": 0, "features.1": 1, "features.2": 2, "features.4": 4, "features.6": 6}

    def __init__(self, activation=nn.ReLU):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            activation(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(4, 5, 3, stride=2, padding=1),
            nn.ReLU6() if activation is nn.ReLU else activation(),
            nn.Conv2d(5, 6, 3, padding=1),
            activation(),
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES))
        with torch.no_grad():
            self.features[3].weight *= 40  # so that ReLU6 cuts off at its upper end too

    def forward(self, x):
        return self.head(self.features(x))

    def steps(self):
        f = self.features
        return [f[0], Relu(), Pool(3, 2), f[3], Relu(6), f[5], Relu(), self.head]


class Functional(nn.Module):
    """No activation is a module; some run in place; the first operation overwrites the input."""

    layers: ClassVar = {"one": 0, "two": 3, "three": 5}

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3, padding=1)
        self.three, self.head = nn.Conv2d(5, 6, 3, stride=2), nn.Linear(6, CLASSES)

    def forward(self, x):
        x = F.relu(self.one(x.mul_(2).sub_(0.3)), inplace=True)
        x = self.two(F.max_pool2d(x, 2)).relu_()
        x = self.three(x).clamp(min=0)
        return self.head(x.mean(dim=(2, 3)))

    def steps(self):
        return [
            lambda x: self.one(x * 2 - 0.3),
            Relu(),
            Pool(2, 2),
            self.two,
            Relu(),
            self.three,
            Relu(),
            lambda x: self.head(x.mean(dim=(2, 3))),
        ]


class Block(nn.Module):
    def __init__(self, channels, after, stride, relu):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        self.down = nn.Conv2d(channels, after, 1, stride) if stride > 1 else nn.Sequential()
        self.relu = relu

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.down(x)
        return self.relu(out)

    def steps(self):
        return [
            Fork(),
            lambda x: self.bn1(self.conv1(x)),
            Relu(),
            lambda x: self.bn2(self.conv2(x)),
            Add(self.down),
            Relu(),
        ]


class Residual(nn.Module):
    """As ResNet: one ReLU module, in place, used five times; `+=`; batch norm; and a dropout that eval turns off."""

    layers: ClassVar = {"stem": 0, "first.bn1": 3, "first.bn2": 5, "first": 7, "second.bn2": 11, "second": 13}

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.first, self.second = Block(4, 4, 1, self.relu), Block(4, 6, 2, self.relu)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(6, CLASSES))
        for norm in self.modules():
            if isinstance(norm, nn.BatchNorm2d):
                nn.init.normal_(norm.weight, 1, 0.3)
                nn.init.normal_(norm.bias, 0, 0.3)
                nn.init.normal_(norm.running_mean, 0, 0.3)
                nn.init.uniform_(norm.running_var, 0.02, 0.1)

    def forward(self, x):
        return self.head(self.second(self.first(self.relu(self.stem(x)))))

    def steps(self):
        return [self.stem, Relu(), *self.first.steps(), *self.second.steps(), self.head]


class RaisingLayer(nn.Module):
    """Return the input, but raise at run number `raise_at`; 0: never."""

    def __init__(self, error):
        super().__init__()
        self.error, self.raise_at, self.runs = error, 0, 0

    def forward(self, x):
        self.runs += 1
        if self.runs == self.raise_at:
            raise self.error
        return x


def build(kind, seed=0, dtype=torch.float64, **arguments):
    torch.manual_seed(seed)
    return kind(**arguments).to(dtype).eval()


def run(method, net, x, score, layer, **knobs):
    """Call a method of METHODS, with a layer if it takes one."""
    return method(net, x, score, *([] if method.layer == "none" else [layer]), **knobs)


def quick(method, net, x, score, layer, **knobs):
    """Run a method of many passes with few samples, steps or masks."""
    few = {name: 3 for name in method.knobs if name in ("samples", "steps", "masks", "cells", "scales")}
    return run(method, net, x, score, layer, **{**few, **knobs})


NETS = {"modules": Modules, "functional": Functional, "residual": Residual}


# -------------------------------------------------------------------------------------- what must not be changed


def state(net):
    """Return everything that a method could change, on the network and in torch."""
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return {
        "tensors": {
            name: (id(t), t._version, t.requires_grad, content(t), None if t.grad is None else content(t.grad))
            for name, t in tensors.items()
        },
        "modules": {
            name: (id(m), type(m), m.training, list(vars(m)), list(m._modules), hooks_of(m))
            for name, m in net.named_modules()
        },
        "global hooks": {  # except the hook that CamViz registers once, at its first use
            name: [key for key, hook in value.items() if hook is not hooks._on_forward]
            for name, value in vars(torch_module).items()
            if is_hooks(name, value)
        },
        "modes": (torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()),
        "switches": (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()),
        "rng": content(torch.get_rng_state()),
        "tape": (hooks._listener.get(), rules.active_rules.get(), pass_counts.active_counts.get()),
    }


def content(tensor):
    return tensor.detach().numpy().tobytes()


def is_hooks(name, value):
    return "hook" in name and isinstance(value, dict)


def hooks_of(module):
    return {name: list(value.items()) for name, value in vars(module).items() if is_hooks(name, value)}


class Interrupt(BaseException):
    """Like Streamlit's exception that ends a script run."""


# ------------------------------------------------------------------------------------------------ passes by hand


@dataclass
class Activation:
    """An elementwise function, and its derivative as a formula."""

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def Relu(high=inf):
    """Clamp to 0 and `high`."""
    return Activation(lambda x: x.clamp(0, high), lambda x: ((x > 0) & (x < high)).double())


@dataclass
class Pool:
    """Max-pooling without padding."""

    kernel: int
    stride: int


@dataclass
class Fork:
    """Keep the current value for a later Add."""


@dataclass
class Add:
    """Add the value that the last Fork kept, after an affine map."""

    shortcut: nn.Module


RULES = {
    "plain": lambda gradient, slope: gradient * slope,
    "guided": lambda gradient, slope: gradient.clamp(min=0) * slope,
    "guided, smooth": lambda gradient, slope: (gradient * slope).clamp(min=0),
    "deconvnet": lambda gradient, slope: gradient.clamp(min=0),
}


def close(actual, expected, tolerance=1e-10):
    """Check equality within `tolerance` of the largest value, which must not be zero."""
    assert expected.abs().max() > 0
    assert_close(actual, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


class ByHand:
    """Run the steps on `x`: `values` has the output of each step, `back` is the backward pass under a rule."""

    def __init__(self, steps, x):
        self.values, self.undo, kept, last = [], [], [], x
        with torch.no_grad():
            for step in steps:
                last, back = _run(step, last, kept)
                self.values.append(last)
                self.undo.append(back)

    def back(self, seed, rule="plain", start=-1):
        """Return the gradients of sum(values[start] * seed) at the outputs of the steps up to `start`, and at x."""
        start = range(len(self.undo))[start]
        gradients, branches = [seed(self.values[start])], []
        for undo in reversed(self.undo[: start + 1]):
            gradients.append(undo(gradients[-1], RULES[rule], branches))
        return gradients[-2::-1], gradients[-1]


@cache
def by_hand(kind):
    """Return a network, images, and its steps run on them; cached, so no test may change them."""
    net, x = build(kind), random_images()
    return net, x, ByHand(net.steps(), x)


def _run(step, x, kept):
    """Return the output of a step, and its backward function."""
    if isinstance(step, Activation):
        return step.function(x), lambda g, rule, branches: rule(g, step.slope(x))
    if isinstance(step, Pool):
        return _pool(step, x)
    if isinstance(step, Fork):
        kept.append(x)
        # A backward pass that starts between Fork and Add has no second branch.
        return x, lambda g, rule, branches: g + branches.pop() if branches else g
    if isinstance(step, Add):
        value, back = _affine(step.shortcut, kept.pop())

        def split(g, rule, branches):
            branches.append(back(g, rule, branches))
            return g

        return x + value, split
    return _affine(step, x)


def _affine(step, x):
    """Apply an affine step as a matrix, whose rows are the images of the unit vectors."""
    shape, count = x.shape[1:], x[0].numel()
    unit = torch.eye(count, dtype=x.dtype).reshape(count, *shape)
    offset = step(torch.zeros_like(x[:1]))
    matrix = (step(unit) - offset).flatten(1)
    value = (x.flatten(1) @ matrix).reshape(len(x), *offset.shape[1:]) + offset
    return value, lambda g, rule, branches: (g.flatten(1) @ matrix.T).reshape(x.shape)


def _pool(step, x):
    height, width = ((size - step.kernel) // step.stride + 1 for size in x.shape[2:])
    value = x.new_empty(*x.shape[:2], height, width)
    switches = {}
    for row in range(height):
        for column in range(width):
            top, left = row * step.stride, column * step.stride
            window = x[:, :, top : top + step.kernel, left : left + step.kernel].flatten(2)
            value[:, :, row, column], switches[row, column] = window.max(dim=2)

    def back(g, rule, branches):
        gradient = torch.zeros_like(x)
        samples, channels = torch.meshgrid(*(torch.arange(size) for size in x.shape[:2]), indexing="ij")
        for (row, column), switch in switches.items():
            rows, columns = row * step.stride + switch // step.kernel, column * step.stride + switch % step.kernel
            gradient[samples, channels, rows, columns] += g[:, :, row, column]
        return gradient

    return value, back


def score_cam_by_hand(net, x, score, activation, weighting="channel softmax"):
    """Compute the published formula, with its baseline, channel by channel."""
    maps = []
    for sample in range(len(x)):
        one = x[sample : sample + 1]
        raw, used = [], []
        with torch.no_grad():
            baseline = score(net(torch.zeros_like(one)))
        for channel in range(activation.shape[1]):
            mask = F.interpolate(activation[sample, channel][None, None], x.shape[2:], mode="bilinear")
            if activation[sample, channel].max() == activation[sample, channel].min():
                continue
            masked = one * (mask - mask.min()) / (mask.max() - mask.min())
            with torch.no_grad():
                if weighting == "channel softmax":
                    raw.append(float(score(net(masked)) - baseline))
                else:
                    raw.append(float(score(net(masked).softmax(dim=1))))
            used.append(channel)
        weights = torch.tensor(raw, dtype=x.dtype)
        if weighting == "channel softmax":
            weights = weights.exp() / weights.exp().sum()
        total = sum(w * activation[sample, c] for w, c in zip(weights, used, strict=True))
        maps.append(total.clamp(min=0))
    return torch.stack(maps)


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def normal_density(x):
    return (-(x**2) / 2).exp() / (2 * pi) ** 0.5


def normal_distribution(x):
    """Return the standard normal distribution function of x."""
    return (1 + torch.erf(x / 2**0.5)) / 2


# Smooth activations, with their formulas and derivatives.
SMOOTH = {
    "nn.SiLU": (nn.SiLU(), lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "nn.SiLU in place": (
        nn.SiLU(inplace=True),
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    ),
    "F.gelu": (F.gelu, lambda x: x * normal_distribution(x), lambda x: normal_distribution(x) + x * normal_density(x)),
    "F.softplus": (F.softplus, lambda x: (1 + x.exp()).log(), sigmoid),
    "nn.ELU": (nn.ELU(0.5), lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1)), lambda x: _kinked(x, 0.5 * x.exp())),
    "F.elu_": (
        lambda x: F.elu_(x, 0.5),
        lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1)),
        lambda x: _kinked(x, 0.5 * x.exp()),
    ),
    "nn.LeakyReLU": (
        nn.LeakyReLU(0.2, inplace=True),
        lambda x: torch.where(x > 0, x, 0.2 * x),
        lambda x: _kinked(x, 0.2),
    ),
    "nn.PReLU": (nn.PReLU(init=0.25), lambda x: torch.where(x > 0, x, 0.25 * x), lambda x: _kinked(x, 0.25)),
    "nn.Hardswish": (
        nn.Hardswish(),
        lambda x: x * (x + 3).clamp(0, 6) / 6,
        lambda x: torch.where(x > 3, 1.0, torch.where(x < -3, 0.0, (2 * x + 3) / 6)),
    ),
}


def _kinked(x, slope):
    return torch.where(x > 0, torch.ones_like(x), slope * torch.ones_like(x))


def of_class(c):
    """Return the seed of a backward pass: one at class c, zero elsewhere."""
    return lambda scores: F.one_hot(torch.full((len(scores),), c), scores.shape[1]).to(scores)


# Every form of ReLU in a network, with its upper bound.
RELUS = {
    "nn.ReLU": (nn.ReLU(), inf),
    "nn.ReLU in place": (nn.ReLU(inplace=True), inf),
    "nn.ReLU6": (nn.ReLU6(), 6),
    "nn.ReLU6 in place": (nn.ReLU6(inplace=True), 6),
    "nn.Hardtanh": (nn.Hardtanh(0, 6), 6),
    "F.relu": (F.relu, inf),
    "F.relu in place": (partial(F.relu, inplace=True), inf),
    "F.relu by position": (lambda x: F.relu(x, True), inf),
    "F.relu by name": (lambda x: F.relu(input=x), inf),
    "F.relu_": (F.relu_, inf),
    "F.relu_ without its result": (lambda x: (F.relu_(x), x)[1], inf),
    "F.relu6": (F.relu6, 6),
    "F.relu6 in place": (partial(F.relu6, inplace=True), 6),
    "F.hardtanh": (lambda x: F.hardtanh(x, 0.0, 2.0), 2),
    "F.hardtanh by name": (lambda x: F.hardtanh(x, min_val=0, max_val=2, inplace=True), 2),
    "F.hardtanh_": (lambda x: F.hardtanh_(x, 0.0, 2.0), 2),
    "torch.relu": (torch.relu, inf),
    "torch.relu_": (torch.relu_, inf),
    "Tensor.relu": (Tensor.relu, inf),
    "Tensor.relu_": (Tensor.relu_, inf),
    "clamp by name": (lambda x: x.clamp(min=0), inf),
    "clamp by position": (lambda x: torch.clamp(x, 0.0, 2.0), 2),
    "clamp_": (lambda x: x.clamp_(0, max=2), 2),
    "torch.clamp_": (lambda x: torch.clamp_(x, min=0), inf),
    "clamp_min": (lambda x: x.clamp_min(0), inf),
    "clamp_min_": (lambda x: x.clamp_min_(min=0), inf),
    "torch.clamp_min": (lambda x: torch.clamp_min(x, 0), inf),
    "clip": (lambda x: x.clip(0, 2), 2),
    "torch.clip": (lambda x: torch.clip(input=x, min=0), inf),
}
