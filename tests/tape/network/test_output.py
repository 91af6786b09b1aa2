"""Class scores among several outputs, compared with the same network that returns them alone."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import camviz
from camviz import METHODS, CamvizError, scores, tape
from tests.models.nets import SIDE, Small, images, load, relative

X = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


class Named(NamedTuple):
    features: Any
    scores: Any


@dataclass
class Output:
    loss: Any
    logits: Any


class Returning(Small):
    """The small network that returns `make` of its map, its features and its class scores."""

    def __init__(self, make):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.other, self.embed = nn.Linear(8, 5), nn.Linear(8, 16)
        self.make = make
        self.eval()

    def forward(self, x: Tensor):
        x = self.last_relu(self.second(self.pool(self.relu(self.norm(self.first(x))))))
        features = x.mean(dim=(2, 3))
        return self.make(self, x, features, self.classifier(features))


FOUND = {
    "features first": lambda net, x, f, z: (f, z),
    "scores first": lambda net, x, f, z: (z, f),
    "list": lambda net, x, f, z: [f, z],
    "map": lambda net, x, f, z: (x, z),
    "loss": lambda net, x, f, z: (z.mean(), z),
    "loss of one number": lambda net, x, f, z: (z, z.mean()[None]),
    "no loss": lambda net, x, f, z: (None, z),
    "dictionary": lambda net, x, f, z: {"features": f, "scores": z},
    "detached features by name": lambda net, x, f, z: {"embedding": f.detach(), "scores": z},
    "named tuple": lambda net, x, f, z: Named(f, z),
    "dataclass": lambda net, x, f, z: Output(None, z),
    "object": lambda net, x, f, z: SimpleNamespace(a=f, b=z),
    "nested": lambda net, x, f, z: {"a": [f, {"b": (None, z)}]},
    "predicted class": lambda net, x, f, z: (z.argmax(dim=1), z),
    "attention": lambda net, x, f, z: (z, x.mean(dim=1)),
    "reconstruction": lambda net, x, f, z: (F.interpolate(x[:, :3], SIDE), z),
    "logits by name": lambda net, x, f, z: {"embeds": net.embed(f), "logits": z},
    "(B, K, 1, 1)": lambda net, x, f, z: z[:, :, None, None],
    "(B, K, 1)": lambda net, x, f, z: z[:, :, None],
    "in a tuple of one": lambda net, x, f, z: (z,),
}


def alone(net, x, f, z):
    return z


@pytest.mark.parametrize("form", FOUND)
def test_class_scores_are_found(form):
    net, expected = Returning(FOUND[form]), Returning(alone)
    model, plain = load(net), load(expected)
    assert model.predict(images(1)[0]) == plain.predict(images(1)[0]) and not model.notes
    for key in ("vanilla_backprop", "grad_cam", "guided_backprop", "lrp", "score_cam"):
        one, other = (camviz.explain(some, images(1)[0], key, target=2) for some in (model, plain))
        assert relative(one.attribution, other.attribution) < 1e-6
        assert other.notes == one.notes


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("form", FOUND)
def test_class_scores_of_a_bare_network_are_found(form, count):
    net, expected = Returning(FOUND[form]), Returning(alone)
    for key in ("vanilla_backprop", "grad_cam"):
        found, other = (
            METHODS[key](some, X[:count], scores.logit(2), *([some.last_relu] if key == "grad_cam" else []))
            for some in (net, expected)
        )
        assert torch.equal(found, other)
    assert torch.equal(tape.forward(net, X[:count]), tape.forward(expected, X[:count]))


AMBIGUOUS = {
    "two heads": lambda net, x, f, z: (z, net.other(f)),
    "two heads by name": lambda net, x, f, z: {"make": z, "model": net.other(f)},
    "an embedding beside": lambda net, x, f, z: (net.embed(f), z),
    "normalized features": lambda net, x, f, z: (F.normalize(f), z),
    "detached features": lambda net, x, f, z: (f.detach(), z),
}


@pytest.mark.parametrize("form", AMBIGUOUS)
def test_ambiguous_outputs_are_refused(form):
    with pytest.raises(CamvizError, match=r"several outputs that may be its class scores: .* load_model\(net, output="):
        load(Returning(AMBIGUOUS[form]))
    with pytest.raises(CamvizError, match="several outputs that may be its class scores"):
        METHODS["vanilla_backprop"](Returning(AMBIGUOUS[form]), X[:1], scores.logit(1))


@pytest.mark.parametrize(
    ("form", "output", "classes"),
    [
        ("two heads", 0, 4),
        ("two heads", 1, 5),
        ("two heads", -1, 5),
        ("two heads by name", "make", 4),
        ("two heads by name", "model", 5),
        ("an embedding beside", 1, 4),
    ],
)
def test_output_is_chosen_by_index_or_name(form, output, classes):
    net = Returning(AMBIGUOUS[form])
    model = load(net, output=output)
    assert len(model.categories) == classes
    x = model.preprocess(images(1)[0]).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x)[output][0, 3], x)
    found = camviz.explain(model, images(1)[0], "vanilla_backprop", target=3).attribution
    assert relative(found, gradient[0].numpy()) < 1e-6


def test_nested_output_is_chosen_by_a_path():
    net = Returning(lambda net, x, f, z: {"a": [f, {"b": (z, net.other(f))}]})
    assert len(load(net, output=("a", 1, "b", 1)).categories) == 5
    with pytest.raises(CamvizError, match=r"no output a\.7; it returns a\.0 \(2, 8\), a\.1\.b\.0 \(2, 4\)"):
        load(net, output=("a", 7))


def test_number_of_class_names_selects_the_head():
    model = load(Returning(AMBIGUOUS["two heads"]), categories=["a", "b", "c", "d", "e"])
    assert model.categories == ("a", "b", "c", "d", "e")


def test_first_of_two_equal_heads_is_used_with_a_note():
    net = Returning(lambda net, x, f, z: (z, f[:, : z.shape[1]]))
    model = load(net)
    assert model.predict(images(1)[0]) == load(Returning(alone)).predict(images(1)[0])
    assert "the first of them is explained" in str(model.notes[0])
    assert (
        load(net, output=1).predict(images(1)[0])[0]
        == load(Returning(lambda n, x, f, z: f[:, : z.shape[1]])).predict(images(1)[0])[0]
    )


def test_single_output_has_index_0():
    model = load(Returning(alone), output=0)
    assert model.predict(images(1)[0]) == load(Returning(alone)).predict(images(1)[0])
    single = Returning(lambda net, x, f, z: z[:, :1])
    assert len(load(single, output=0, categories=["a", "b"]).predict(images(1)[0])) == 2
    for output in (1, "logits", (0, 0)):
        with pytest.raises(CamvizError, match="has no output"):
            load(Returning(alone), output=output)


@pytest.mark.parametrize("output", [True, 1.5, (), [0], object()])
def test_wrong_output_arguments_are_refused(output):
    with pytest.raises(CamvizError, match="index or the name of one of the network's outputs"):
        load(Returning(alone), output=output)


@pytest.mark.parametrize(
    ("make", "came"),
    [
        (lambda net, x, f, z: None, "NoneType"),
        (lambda net, x, f, z: "cat", "str"),
        (lambda net, x, f, z: (), "tuple"),
        (lambda net, x, f, z: z.argmax(dim=1), r"shape \(.,\)"),
        (lambda net, x, f, z: z.mean(), r"shape \(\)"),
        (lambda net, x, f, z: z[:, :0], r"shape \(., 0\)"),
        (lambda net, x, f, z: x, r"shape .* a map of scores: put it into an nn.Module that averages the map"),
        (lambda net, x, f, z: z.detach().numpy(), "ndarray"),
        (lambda net, x, f, z: z.to(torch.complex64), r"shape \(., 4\)"),
        (lambda net, x, f, z: {"out": x}, r"out \(., 8, "),
    ],
)
def test_outputs_without_class_scores_are_refused(make, came):
    with pytest.raises(CamvizError, match=f"must end in class scores .*{came}"):
        load(Returning(make))
    with pytest.raises(CamvizError, match=f"must end in class scores .*{came}"):
        METHODS["vanilla_backprop"](Returning(make), X[:1], scores.logit(1))


@pytest.mark.parametrize("make", [lambda net, x, f, z: z[:, 0], lambda net, x, f, z: z[:, :1, None, None]])
def test_single_score_per_image_is_one_output(make):
    net = Returning(make)
    model = load(net)
    (one,) = model.predict(images(1)[0])
    x = model.preprocess(images(1)[0])
    assert one.probability == pytest.approx(float(net(x).detach().sigmoid()), abs=1e-6)
