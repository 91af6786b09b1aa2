"""Arguments of a method of METHODS: accepted forms give equal maps, others are refused."""

import numpy as np
import pytest
import torch
from torch import nn

from camviz import METHODS, CamvizError, scores
from camviz.evaluation.registry import METRICS
from camviz.feature_visualization import SYNTHESES
from camviz.models import Layer
from tests.models.nets import SIDE, Small, load

NET = Small().eval()
X = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
GRAD_CAM, OCCLUSION = METHODS["grad_cam"], METHODS["occlusion"]


def grad_cam(net=NET, x=X, score=1, layer="second", **knobs):
    return GRAD_CAM(net, x, score, layer, **knobs)


@pytest.fixture(scope="module")
def plain() -> torch.Tensor:
    """Compute Grad-CAM by torch.autograd alone."""
    first = NET.pool(NET.relu(NET.norm(NET.first(X))))
    activation = NET.second(first).detach().requires_grad_()
    score = NET.classifier(NET.last_relu(activation).mean(dim=(2, 3)))[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, activation)
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation.detach()).sum(dim=1).relu()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"net": load(NET)},
        {"x": X.numpy()},
        {"x": X.double()},
        {"x": X.numpy().astype(np.float64)},
        {"x": X.clone().requires_grad_()},
        {"x": X.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)},
        {"x": X.numpy()[:, :, ::-1].copy()[:, :, ::-1]},
        {"score": scores.logit(1)},
        {"score": scores.logit(np.int64(1))},
        {"score": scores.logit(torch.tensor(1))},
        {"score": np.int8(1)},
        {"score": torch.tensor(1)},
        {"score": np.array(1)},
        {"score": lambda z: z[:, 1:2]},
        {"score": lambda z: z[:, 1]},
        {"layer": NET.second},
        {"layer": Layer("second", "Conv2d", 8, (12, 12), 1)},
        {"counterfactual": np.False_},
    ],
    ids=lambda given: ", ".join(f"{name} {type(one).__name__}" for name, one in given.items()),
)
def test_accepted_forms_of_arguments_give_equal_maps(given, plain) -> None:
    torch.testing.assert_close(grad_cam(**given), plain, rtol=1e-5, atol=1e-7)


def test_image_without_a_batch_dimension_is_accepted(plain) -> None:
    for x in (X[0], X[0].numpy()):
        torch.testing.assert_close(grad_cam(x=x), plain[:1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("layer", ["second", NET.second], ids=["name", "module"])
def test_arguments_are_accepted_by_name(layer, plain) -> None:
    torch.testing.assert_close(GRAD_CAM(layer=layer, score=1, x=X, net=NET), plain, rtol=1e-5, atol=1e-7)


def test_numpy_scores_work_without_gradients() -> None:
    found = OCCLUSION(NET, X, lambda z: z[:, 1].detach().numpy(), size=8, stride=8)
    torch.testing.assert_close(found, OCCLUSION(NET, X, 1, size=8, stride=8))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"net": None}, "a method explains a network: an nn.Module, or a Model .*; got NoneType"),
        ({"net": Small}, "got type"),
        ({"net": Small().train()}, "the network is in training mode"),
        ({"net": nn.ReLU()}, "layer 'second' is not in ReLU"),
        ({"x": None}, "a method takes the network's input x, a tensor .*; got NoneType"),
        ({"x": "cat.jpg"}, "got str"),
        ({"x": X.tolist()}, "got list"),
        ({"x": X.to("meta")}, r"got torch.strided, meta"),
        ({"x": X.to_sparse()}, r"got torch.sparse_coo, cpu"),
        ({"x": X.to(torch.complex64)}, "floating point numbers .*; got torch.complex64"),
        ({"x": (X * 50).byte()}, "got torch.uint8"),
        ({"x": np.array(["a"])}, "got ndarray"),
        ({"x": X[0, 0]}, r"shape \(batch, channels, height, width\), none of them 0; got \(24, 24\)"),
        ({"x": X[:0]}, r"got \(0, 3, 24, 24\)"),
        ({"x": X[:, :1]}, r"the forward pass of Small fails for an input of shape \(2, 1, 24, 24\)"),
        ({"x": X[:, :, :1, :1]}, "the forward pass of Small fails"),
        ({"x": X * np.nan}, "nan"),
        ({"score": None}, "a score is a function .* or the index of a class; got None"),
        ({"score": True}, "got True"),
        ({"score": np.True_}, "got np.True_"),
        ({"score": 1.0}, "got 1.0"),
        ({"score": "class 1"}, "got 'class 1'"),
        ({"score": [1]}, r"got \[1\]"),
        ({"score": torch.tensor([1, 2])}, r"got tensor\(\[1, 2\]\)"),
        ({"score": 4}, "class 4 does not exist; this network has classes 0 to 3"),
        ({"score": -1}, "class -1 does not exist"),
        ({"score": 10**30}, "class 10{30} does not exist"),
        ({"score": scores.logit("x")}, "a score needs the index of a class, a whole number; got 'x'"),
        ({"score": scores.logit(True)}, "got True"),
        ({"score": scores.probability(np.array(["q"]))}, "got array"),
        ({"score": scores.contrast(1, None)}, "got None"),
        ({"score": lambda z: z[:, 9]}, "the explained score fails for an input of shape"),
        ({"score": lambda z: None}, r"a score must return one number for each sample, shape \(2,\); got NoneType"),
        ({"score": lambda z: z}, r"got \(2, 4\)"),
        ({"score": lambda z: z[0, 1]}, r"got \(\)"),
        ({"score": lambda z: z[:, 1].detach()}, "does not depend on the class scores"),
        ({"score": lambda z: z[:, 1].detach().numpy()}, "does not depend on the class scores"),
        ({"score": lambda z: z[:, 1] * np.inf}, "inf"),
        ({"layer": None}, "[Ll]ayer"),
        ({"layer": 3}, "a layer is a module of the network or its dotted name; got 3"),
        ({"layer": ["second"]}, r"got \['second'\]"),
        ({"layer": "secnd"}, "layer 'secnd' is not in Small; did you mean 'second'"),
        ({"layer": nn.ReLU()}, r"does not run through this layer \(ReLU\)"),
        ({"layer": "classifier"}, "classifier|feature maps|shape"),
        ({"unknown": 1}, "is called with net, x, score, layer and its settings by name: .*'unknown'"),
        ({"counterfactual": "yes"}, "counterfactual of grad_cam must be bool; got 'yes'"),
        ({"counterfactual": X}, "counterfactual of grad_cam must be bool"),
    ],
)
def test_wrong_arguments_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        grad_cam(**given)


def test_missing_arguments_are_refused() -> None:
    with pytest.raises(CamvizError, match="missing a required argument: 'layer'"):
        GRAD_CAM(NET, X, 1)
    with pytest.raises(CamvizError, match="missing a required argument: 'net'"):
        GRAD_CAM()


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("size", -3, "size of occlusion must lie in 1 to 512; got -3"),
        ("size", True, "must be int; got True"),
        ("size", np.True_, "must be int"),
        ("size", 2.5, "must be int; got 2.5"),
        ("size", float("nan"), "must be int; got nan"),
        ("size", "8", "must be int; got '8'"),
        ("size", np.zeros(3), "must be int; got array"),
        ("size", torch.ones(3), "must be int; got tensor"),
        ("size", 10**400, "must lie in 1 to 512"),
        ("measure", np.array(["score"] * 2), "is not in the choices of occlusion"),
        ("measure", None, "measure 'None' is not in the choices of occlusion"),
        ("progress", 3, "progress must be a function .*; got int"),
        ("progress", False, "progress must be a function .*; got bool"),
    ],
)
def test_wrong_settings_are_refused(setting, value, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        OCCLUSION(NET, X, 1, **{setting: value})


@pytest.mark.parametrize("size", [8, 8.0, np.int64(8), np.float32(8), torch.tensor(8)])
def test_settings_accept_other_number_types(size) -> None:
    torch.testing.assert_close(OCCLUSION(NET, X, 1, size=size, stride=8), OCCLUSION(NET, X, 1, size=8, stride=8))


@pytest.mark.parametrize("key", [None, 3, [], {}, "gradcam", METHODS["grad_cam"]])
def test_unknown_keys_are_refused(key) -> None:
    for table in (METHODS, SYNTHESES, METRICS):
        with pytest.raises(CamvizError, match=r"^(method|synthesis|metric) '.*' is not in CamViz"):
            table[key]
        with pytest.raises(KeyError):
            table[key]


class TwoArguments(ValueError):
    """An error whose text is made of two arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__()
        self.one, self.two = one, two

    def __str__(self) -> str:
        return f"{self.one} and {self.two}"


def test_error_of_a_score_keeps_its_type_and_text() -> None:
    def score(_):
        raise TwoArguments(1, 2)

    with pytest.raises(TwoArguments, match=r"the explained score fails for an input of shape .*: 1 and 2") as caught:
        grad_cam(score=score)
    assert isinstance(caught.value, CamvizError)
