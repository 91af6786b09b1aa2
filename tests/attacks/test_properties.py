"""Random small networks and arguments: each result equals torch.autograd on a plain copy, or is a CamvizError.

`CAMVIZ_PROPERTY_EXAMPLES=2000 CAMVIZ_PROPERTY_SEED=7` runs more of them, and others.
"""

import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import camviz
from camviz import METHODS, CamvizError, scores
from camviz.models import Model
from camviz.perturbation.occlusion import window_spans
from camviz.scores import Score

EXAMPLES = int(os.environ.get("CAMVIZ_PROPERTY_EXAMPLES", "60"))
SEED = int(os.environ.get("CAMVIZ_PROPERTY_SEED", "0"))
MANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
SIDE, CLASSES = 16, 4


class OwnReLU(torch.autograd.Function):
    """ReLU as a torch.autograd.Function, as some repositories write it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x > 0)


class GuidedReLU(OwnReLU):
    """ReLU with the backward rule of guided backpropagation."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient.clamp(min=0) * (x > 0)


def with_index(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "in place": lambda x: F.relu(x, inplace=True),
    "method": Tensor.relu,
    "clamp": lambda x: x.clamp(min=0),
    "clamp of tensor": lambda x: x.clamp(min=torch.zeros((), dtype=x.dtype)),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "max": lambda x: torch.max(x, x.new_zeros(1)),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "where": lambda x: torch.where(x > 0, x, 0),
    "where not": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "mask": lambda x: x * (x > 0),
    "mask of numbers": lambda x: (x > 0).to(x.dtype) * x,
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "half of a sum": lambda x: (x + x.abs()) / 2,
    "leaky": lambda x: F.leaky_relu(x, 0.0),
    "function": OwnReLU.apply,
    "index": with_index,
}
SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "silu": F.silu,
    "swish": lambda x: x * x.sigmoid(),
    "hardswish": F.hardswish,
    "elu": F.elu,
    "softplus": F.softplus,
    "mish": F.mish,
    "tanh": torch.tanh,
    "leaky relu": lambda x: F.leaky_relu(x, 0.1),
}
ACTIVATIONS = RELUS | SMOOTH
HEADS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "plain": lambda z, f: z,
    "softmax": lambda z, f: z.softmax(dim=1),
    "log_softmax": lambda z, f: F.log_softmax(z, dim=-1),
    "sigmoid": lambda z, f: torch.sigmoid(z),
    "tuple": lambda z, f: (f, z),
    "scores first": lambda z, f: (z, f),
    "loss": lambda z, f: (z.sum() * 0 + 0.5, z),
    "dict": lambda z, f: {"features": f, "logits": z},
    "nested": lambda z, f: {"aux": [f], "out": (z,)},
    "places": lambda z, f: z[:, :, None, None],
    "column": lambda z, f: z[:, 0],
}
NORMS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "batch": lambda: nn.BatchNorm2d(5),
    "batch without statistics": lambda: nn.BatchNorm2d(5, track_running_stats=False),
    "instance": lambda: nn.InstanceNorm2d(5, affine=True),
    "group": lambda: nn.GroupNorm(1, 5),
}
POOLS: dict[str, Callable[[], nn.Module]] = {
    "max": lambda: nn.MaxPool2d(2),
    "overlapping": lambda: nn.MaxPool2d(3, 2, padding=1),
    "average": lambda: nn.AvgPool2d(2),
    "stride": lambda: nn.Conv2d(5, 5, 2, stride=2),
}
TYPES = {"float32": torch.float32, "float64": torch.float64, "half": torch.float16, "bfloat16": torch.bfloat16}


class Net(nn.Module):
    """Convolution, norm, activation, pooling, convolution, activation, mean, linear, and a head."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__()
        self.spec = spec
        with torch.random.fork_rng():
            torch.manual_seed(spec["seed"])
            self.first = nn.Conv2d(spec["channels"], 5, 3, padding=1, bias=spec["bias"])
            self.norm, self.pool = NORMS[spec["norm"]](), POOLS[spec["pool"]]()
            self.second, self.fc = (
                nn.Conv2d(5, 6, 3, padding=1),
                nn.Linear(6, 1 if spec["head"] == "column" else CLASSES),
            )
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=0.4)
            if spec["norm"] == "batch":
                nn.init.uniform_(self.norm.running_mean, -0.5, 0.5)
                nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def begin(self, x: Tensor) -> Tensor:
        return self.pool(ACTIVATIONS[self.spec["activation"]](self.norm(self.first(x))))

    def forward(self, x: Tensor) -> Any:
        how = self.spec["checkpoint"]
        x = self.begin(x) if how is None else checkpoint(self.begin, x, use_reentrant=how)
        x = F.relu(self.second(x))
        features = x.mean(dim=(2, 3))
        return HEADS[self.spec["head"]](self.fc(features), features)


class Plain:
    """The same computation with the same weights in the plainest form, for torch.autograd."""

    def __init__(self, net: Net, x: Tensor, guided: bool = False) -> None:
        self.spec = net.spec
        self.parts = dict(Net(net.spec).named_children())
        for name, module in self.parts.items():
            module.load_state_dict(net.get_submodule(name).state_dict())
            module.to(x.dtype).eval()
        self.x, self.guided = x, guided

    def act(self, x: Tensor, name: str) -> Tensor:
        if name in RELUS:
            return GuidedReLU.apply(x) if self.guided else F.relu(x)
        return SMOOTH[name](x)

    def run(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the activations by layer, and the class scores (1, K)."""
        p, a = self.parts, {}
        a["first"] = p["first"](x)
        a["pool"] = p["pool"](self.act(p["norm"](a["first"]), self.spec["activation"]))
        a["second"] = p["second"](a["pool"])
        return a, p["fc"](self.act(a["second"], "relu").mean(dim=(2, 3)))

    def scores(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.run(x)[1]

    def gradient(self, x: Tensor, score: Score) -> Tensor:
        x = x.clone().requires_grad_()
        (found,) = torch.autograd.grad(score(self.run(x)[1]).sum(), x)
        return found

    def layer(self, score: Score, name: str) -> tuple[Tensor, Tensor]:
        activations, found = self.run(self.x.clone().requires_grad_())
        (gradient,) = torch.autograd.grad(score(found).sum(), activations[name])
        return activations[name].detach(), gradient


def vanilla_backprop(plain: Plain, score: Score, layer: str) -> Tensor:
    return plain.gradient(plain.x, score)


def gradient_x_input(plain: Plain, score: Score, layer: str) -> Tensor:
    return plain.x * plain.gradient(plain.x, score)


def integrated_gradients(plain: Plain, score: Score, layer: str) -> Tensor:
    nodes, weights = np.polynomial.legendre.leggauss(4)
    parts = [w / 2 * plain.gradient((a + 1) / 2 * plain.x, score) for a, w in zip(nodes, weights, strict=True)]
    return plain.x * sum(parts)


def grad_cam(plain: Plain, score: Score, layer: str) -> Tensor:
    activation, gradient = plain.layer(score, layer)
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1).relu()


def layer_cam(plain: Plain, score: Score, layer: str) -> Tensor:
    activation, gradient = plain.layer(score, layer)
    return (gradient.relu() * activation).sum(dim=1).relu()


def hires_cam(plain: Plain, score: Score, layer: str) -> Tensor:
    activation, gradient = plain.layer(score, layer)
    return (gradient * activation).sum(dim=1).relu()


def occlusion(plain: Plain, score: Score, layer: str) -> Tensor:
    whole, spans = score(plain.scores(plain.x)), window_spans(SIDE, 7, 5)
    found = torch.empty(1, len(spans), len(spans), dtype=plain.x.dtype)
    for row, (top, bottom) in enumerate(spans):
        for column, (left, right) in enumerate(spans):
            x = plain.x.clone()
            x[:, :, top:bottom, left:right] = 0
            found[0, row, column] = whole - score(plain.scores(x))
    return found


ORACLES = {
    one.__name__: one
    for one in (*(vanilla_backprop, gradient_x_input, integrated_gradients, grad_cam, layer_cam, hires_cam, occlusion),)
}
KNOBS = {"occlusion": {"size": 7, "stride": 5}, "integrated_gradients": {"steps": 4}}
IMAGE = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

SPECS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1000),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "norm": st.sampled_from(sorted(NORMS)),
        "pool": st.sampled_from(sorted(POOLS)),
        "head": st.sampled_from(sorted(HEADS)),
        "type": st.sampled_from(sorted(TYPES)),
        "checkpoint": st.sampled_from([None, None, True, False]),
        "channels": st.sampled_from([3, 1]),
        "bias": st.booleans(),
        "training": st.booleans(),
    }
)
# Accepted forms of the same image, and of a class k.
IMAGES: dict[str, Callable[[], Any]] = {
    "PIL": lambda: Image.fromarray(IMAGE),
    "uint8": lambda: IMAGE,
    "float": lambda: IMAGE / 255,
    "int64": lambda: IMAGE.astype(np.int64),
    "tensor": lambda: torch.from_numpy(IMAGE).permute(2, 0, 1),
    "batch": lambda: torch.from_numpy(IMAGE / np.float32(255)).permute(2, 0, 1)[None],
}
TARGETS: dict[str, Callable[[int], Any]] = {
    "index": lambda k: k,
    "label": lambda k: f"class {k}",
    "number of NumPy": np.int64,
    "tensor": torch.tensor,
    "logit": scores.logit,
    "data": lambda k: {"logit": k},
    "function": lambda k: lambda z: z[:, k],
}
LAYERS: dict[str, Callable[[Net, Model, str], Any]] = {
    "name": lambda net, model, name: name,
    "list": lambda net, model, name: [name],
    "module": lambda net, model, name: net.get_submodule(name),
    "module of the model": lambda net, model, name: model.module(name),
    "record": lambda net, model, name: model.layer(name),
}
WRONG: dict[str, list[Any]] = {
    "image": [
        None,
        3,
        [],
        torch.randn(3, SIDE, SIDE),
        np.full((SIDE, SIDE, 3), np.nan),
        np.zeros((3, 3)),
        "no.png",
        b"",
    ],
    "target": [CLASSES, -1, True, 1.5, "cat", [0], {}, {"logit": "x"}, object(), lambda z: None, lambda z: z * np.nan],
    "method": [None, 3, "grad cams", [], METHODS, nn.ReLU()],
    "layer": ["nowhere", "fc", 3, [], [None], nn.ReLU(), np.zeros(2), "second,"],
    "fit": ["zoom", None, 3, []],
    "fuse": ["min", None, 3, {}],
    "progress": [3, "x", []],
    "unknown": [1, None],
}


def build(spec: dict[str, Any]) -> Net:
    net = Net(spec).to(TYPES[spec["type"]]).train(spec["training"])
    return net


def same(found: Any, expected: Tensor, size: float) -> None:
    expected = expected.detach().double().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * abs(expected).max() + 2e-6 * size + 1e-9)


@seed(SEED)
@settings(MANY)
@given(
    spec=SPECS,
    key=st.sampled_from(sorted(ORACLES)),
    k=st.integers(0, CLASSES - 1),
    layer=st.sampled_from(["first", "pool", "second"]),
    forms=st.tuples(*(st.sampled_from(sorted(forms)) for forms in (IMAGES, TARGETS, LAYERS))),
)
def test_attributions_equal_autograd(spec, key, k, layer, forms) -> None:
    net = build(spec)
    model = camviz.load_model(net, input_size=(SIDE, SIDE))
    assert net.training is spec["training"]
    k = min(k, len(model.categories) - 1)
    target = "value" if model.categories == ("value",) and forms[1] == "label" else TARGETS[forms[1]](k)
    where = {"layer": LAYERS[forms[2]](net, model, layer)} if METHODS[key].layer == "required" else {}
    image = IMAGES[forms[0]]()
    explanation = camviz.explain(model, image, key, target, **where, **KNOBS.get(key, {}))
    x = model.preprocess(image)
    plain = Plain(net, x)
    z = plain.scores(x)[0]
    expected = model.in_colors(ORACLES[key](plain, lambda z: z[:, k], layer))
    same(explanation.attribution, expected[0], float(z.abs().max()) if key == "occlusion" else 0)
    own = z.sigmoid() if spec["head"] in ("sigmoid", "column") else z.softmax(dim=0)
    answers = {one.index: one.probability for one in model.predict(image, k=CLASSES)}
    if model.has_probabilities:
        assert [answers[index] for index in range(len(own))] == pytest.approx(own.tolist(), abs=2e-6)
    else:
        assert spec["head"] == "column"


@seed(SEED)
@settings(MANY, max_examples=EXAMPLES // 2)
@given(spec=SPECS, key=st.sampled_from(sorted(METHODS)), k=st.integers(0, CLASSES - 1))
def test_equivalent_networks_have_equal_maps(spec, key, k) -> None:
    """Compare each method on a network and on its plain form: float32, no checkpoints, F.relu."""
    net = build(spec)
    # The random numbers of float64 are others.
    plain = {"type": "float64" if spec["type"] == "float64" else "float32", "checkpoint": None, "training": False}
    if spec["activation"] in RELUS:
        plain["activation"] = "relu"
    if spec["head"] not in ("column", "sigmoid"):
        plain["head"] = "plain"
    other = Net({**spec, **plain})
    other.load_state_dict(net.state_dict())
    other.to(TYPES[str(plain["type"])])
    other.eval()
    knobs = {name: few for name, few in {"masks": 8, "samples": 3, "steps": 3}.items() if name in METHODS[key].knobs}
    where = {"layer": "second"} if METHODS[key].layer == "required" else {}
    found = []
    for one in (net, other):
        model = camviz.load_model(one, input_size=(SIDE, SIDE))
        try:
            found.append(camviz.explain(model, IMAGE, key, min(k, len(model.categories) - 1), **where, **knobs))
        except CamvizError as error:
            found.append(error)
    ours, theirs = found
    if isinstance(theirs, CamvizError) or isinstance(ours, CamvizError):
        assert isinstance(theirs, CamvizError), str(ours)
        assert str(ours) == str(theirs)
    elif not set(map(str, ours.notes)) - set(map(str, theirs.notes)) or spec["activation"] not in RELUS:
        same(ours.attribution, torch.from_numpy(theirs.attribution), 1.0 if METHODS[key].many_passes else 0)


@seed(SEED)
@settings(MANY, max_examples=EXAMPLES // 2)
@given(spec=SPECS, key=st.sampled_from(["grad_cam", "hires_cam"]), data=st.data())
def test_wrong_argument_raises_a_one_line_error(spec, key, data) -> None:
    model = camviz.load_model(build(spec), input_size=(SIDE, SIDE))
    name = data.draw(st.sampled_from(sorted(WRONG)))
    wrong = data.draw(st.sampled_from(WRONG[name]))
    arguments = {"image": IMAGE, "method": key, "target": 0, "layer": "second", name: wrong}
    with pytest.raises(CamvizError) as raised:
        camviz.explain(model, **arguments)
    assert re.fullmatch(r"[^\n]{10,500}", str(raised.value))


@seed(SEED)
@settings(MANY, max_examples=EXAMPLES // 2)
@given(spec=SPECS, key=st.sampled_from(sorted(ORACLES)), k=st.integers(0, CLASSES - 1), count=st.integers(1, 3))
def test_bare_methods_equal_autograd(spec, key, k, count) -> None:
    """Call METHODS on a bare network and a batch; in training mode there is an error."""
    spec = {**spec, "type": "float64"}
    net = build(spec)
    k = 0 if spec["head"] == "column" else k
    x = torch.randn(
        count, spec["channels"], SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(k)
    )
    call: dict[str, Any] = {**KNOBS.get(key, {})}
    if METHODS[key].layer == "required":
        call["layer"] = "second"
    if spec["training"] and "norm" in spec["norm"]:
        with pytest.raises(CamvizError, match="training mode"):
            METHODS[key](net, x, k, **call)
        return
    net.eval()
    found = METHODS[key](net, x, k, **call)
    squash = {"softmax": lambda z: z.softmax(dim=1), "log_softmax": lambda z: z.log_softmax(dim=1)}
    squash["sigmoid"] = torch.sigmoid

    def score(z: Tensor) -> Tensor:
        return squash.get(spec["head"], lambda z: z)(z)[:, k]

    for sample, one in zip(found, x, strict=True):
        plain = Plain(net, one[None])
        same(sample.numpy(), ORACLES[key](plain, score, "second")[0], 0)


@seed(SEED)
@settings(MANY, max_examples=EXAMPLES // 4)
@given(spec=SPECS, k=st.integers(0, CLASSES - 1), spelling=st.sampled_from(sorted(RELUS)))
def test_guided_backprop_recognizes_a_relu_or_notes_it(spec, k, spelling) -> None:
    net = build({**spec, "activation": spelling})
    model = camviz.load_model(net, input_size=(SIDE, SIDE))
    explanation = camviz.explain(model, IMAGE, "guided_backprop", k := min(k, len(model.categories) - 1))
    if set(explanation.notes) <= set(model.notes):
        plain = Plain(net, model.preprocess(IMAGE), guided=True)
        same(explanation.attribution, model.in_colors(plain.gradient(plain.x, lambda z: z[:, k]))[0], 0)
