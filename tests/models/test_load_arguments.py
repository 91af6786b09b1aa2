"""Arguments of load_model and of Model: accepted forms give equal models, others are refused."""

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.models import ResNet18_Weights

import camviz
from camviz import CamvizError
from tests.models.nets import SIDE, Small, images, load

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it has files that fail only when they are read")
NET = Small().eval()
(IMAGE,) = images(1)


def state(net):
    """Return the settings and predictions of a model."""
    model = net if isinstance(net, camviz.Model) else load(net)
    shown = [(one.label, one.probability) for one in model.predict(IMAGE)]
    return model.input_size, model.mean, model.std, model.input_channels, model.categories, str(model.device), shown


@pytest.mark.parametrize(
    ("plain", "given"),
    [
        ({"input_size": (32, 32)}, {"input_size": 32}),
        ({"input_size": (32, 40)}, {"input_size": [32, 40]}),
        ({"input_size": (32, 40)}, {"input_size": np.array([32, 40])}),
        ({"input_size": (32, 40)}, {"input_size": torch.tensor([32, 40])}),
        ({"input_size": (32, 40)}, {"input_size": torch.zeros(3, 32, 40).shape[1:]}),
        ({"input_size": (32, 32)}, {"input_size": np.int64(32)}),
        ({"mean": (0.5, 0.5, 0.5)}, {"mean": 0.5}),
        ({"mean": (0.5, 0.5, 0.5)}, {"mean": np.float64(0.5)}),
        ({"mean": (0.5, 0.5, 0.5)}, {"mean": torch.tensor(0.5)}),
        ({"mean": (0.5, 0.5, 0.5)}, {"mean": Decimal("0.5")}),
        ({"mean": (0.5, 0.25, 0.5)}, {"mean": np.array([0.5, 0.25, 0.5])}),
        ({"mean": (0.5, 0.25, 0.5)}, {"mean": [np.float32(0.5), torch.tensor(0.25), 0.5]}),
        ({"std": (0.5, 0.25, 2.0)}, {"std": torch.tensor([0.5, 0.25, 2])}),
        ({"std": (2.0, 2.0, 2.0)}, {"std": 2}),
        ({"input_channels": ("red", "green", "blue")}, {"input_channels": "RGB"}),
        ({"input_channels": ("blue", "green", "red")}, {"input_channels": "bgr"}),
        ({"input_channels": ("blue", "green", "red")}, {"input_channels": np.array(["blue", "green", "red"])}),
        ({"categories": ["a", "b", "c", "d"]}, {"categories": (one for one in "abcd")}),
        ({"categories": ["a", "b", "c", "d"]}, {"categories": np.array(list("abcd"))}),
        ({"categories": ["a", "b", "c", "d"]}, {"categories": {3: "d", 0: "a", 1: "b", 2: "c"}}),
        ({"categories": ["a", "b", "c", "d"]}, {"categories": {"a": 0, "b": 1, "c": 2, "d": 3}}),
        ({"device": "cpu"}, {"device": torch.device("cpu")}),
        ({"weights": "default"}, {"weights": None}),
        ({"weights": "default"}, {"weights": NET}),
        ({"weights": "default"}, {"weights": NET.state_dict()}),
        ({"head": "softmax"}, {"head": None}),
        ({}, {"output": 0}),
        ({}, {"output": -1}),
        ({"unit": ""}, {"unit": None}),
        ({}, {"progress": print}),
    ],
)
def test_accepted_forms_of_arguments_give_equal_models(plain, given) -> None:
    settings = {"input_size": (SIDE, SIDE)}
    assert state(camviz.load_model(NET, **settings | given)) == state(camviz.load_model(NET, **settings | plain))


def test_weights_none_means_random() -> None:
    assert str(camviz.load_model("squeezenet1_1", weights=None).weights) == "random"


def test_paths_of_networks_and_weights_are_accepted(tmp_path) -> None:
    torch.save(NET.state_dict(), tmp_path / "small.pth")
    assert state(load(NET, weights=tmp_path / "small.pth")) == state(load(NET, weights=str(tmp_path / "small.pth")))
    torch.jit.trace(NET, torch.zeros(1, 3, SIDE, SIDE)).save(str(tmp_path / "small.pt"))
    found, plain = (dict(state(one)[-1]) for one in (load(tmp_path / "small.pt"), NET))
    assert found == pytest.approx(plain)
    assert state(load(tmp_path / "small.pt")) == state(load(str(tmp_path / "small.pt")))


SIZE = r"the input size must be \(height, width\), whole numbers"
LONG = "x" * 5000


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        *(
            ({"input_size": one}, SIZE)
            for one in (True, 64.5, (64,), (1, 2, 3), "64", (64, 64.0), (True, 64), 0, -3, [])
        ),
        *(({"input_size": one}, SIZE) for one in (np.nan, 10**30, (64, None), {}, object(), torch.zeros(3, 3))),
        *(
            ({"input_size": one}, SIZE)
            for one in (torch.empty(2, device="meta"), b"xx", nn.ReLU(), np.array(["a", "b"]))
        ),
        *(
            ({name: one}, f"{name} must be numbers; got ")
            for name in ("mean", "std")
            for one in ("abc", [1, 2, None], [1, "2", 3], [0.5, np.nan, 0.5], np.inf, 10**400, {1: 2, 3: 4, 5: 6})
        ),
        *(
            ({"mean": one}, "mean must be numbers; got ")
            for one in (True, [True] * 3, {1, 2, 3}, object(), 1j, nn.ReLU())
        ),
        *(({"mean": one}, "mean must be numbers; got ") for one in (torch.empty(3, device="meta"), b"abc", Path("a"))),
        ({"mean": (0.5, 0.5)}, "mean must be three numbers, for red, green and blue; got 2"),
        ({"mean": []}, "mean must be three numbers"),
        ({"mean": np.zeros((3, 3))}, "mean must be numbers"),
        ({"std": 0}, "std must not be 0"),
        ({"std": (1, 0, 1)}, "std must not be 0"),
        *(
            ({"input_channels": one}, "input_channels must be a list of colors")
            for one in (3, [], "red", {}, None.__class__)
        ),
        *(
            ({"input_channels": one}, "input_channels must be a list of colors")
            for one in ({"red"}, object(), True, "")
        ),
        ({"input_channels": ["red", "green", "bleu"]}, "input channel 'bleu' is not in .*; did you mean 'blue'"),
        ({"input_channels": [1, 2, 3]}, "input channel '1' is not in red, green, blue"),
        ({"input_channels": [[]] * 3}, r"input channel '\[\]' is not in"),
        ({"device": "gpu"}, "device 'gpu' cannot be used on this machine: use one of cpu"),
        *(
            ({"device": one}, "cannot be used on this machine")
            for one in (0, 99, -7, 10**30, "quantum", [1], 1.5, b"", {})
        ),
        *(
            ({"weights": one}, "weights are 'default', 'random', the path .*; got ")
            for one in (3, True, [1], b"", object())
        ),
        ({"weights": {}}, "weights hold no tensors"),
        ({"weights": {"a": 1}}, "weights hold no tensors"),
        ({"weights": "random"}, "random weights are for networks of the catalog"),
        ({"weights": "no.pth"}, "there is no file no.pth"),
        ({"weights": LONG}, "there is no file x{200}\n"),
        ({"weights": "a\0b"}, "there is no file"),
        ({"weights": "."}, r"there is no file \.\n"),
        pytest.param({"weights": "/proc/self/mem"}, "cannot read the file mem: Input/output error", marks=ON_LINUX),
        ({"weights": ResNet18_Weights.DEFAULT}, r"weights=ResNet18_Weights.IMAGENET1K_V1.get_state_dict\(\)"),
        ({"categories": {"a", "b"}}, "a set has no order"),
        ({"categories": "abcd"}, "there is no file of class names abcd"),
        ({"categories": LONG}, "there is no file of class names x{200}\n"),
        pytest.param({"categories": "/proc/self/mem"}, "cannot read the file mem", marks=ON_LINUX),
        ({"categories": ["a"]}, "Small has 4 classes; got 1 categories"),
        ({"categories": []}, "the class names: there are none"),
        ({"categories": [1, 2, 3, 4]}, "the name of class 0 must be text"),
        ({"categories": ["a", "b", "c", ""]}, "the name of class 3 must be text"),
        ({"categories": {0: "a", 1: "b", 3: "d"}}, "class 2 is missing"),
        *(({"categories": one}, "expected a list of names") for one in (5, 1.5, True, object(), np.array(5))),
        ({"categories": torch.empty(4, device="meta")}, "expected a list of names"),
        *(
            ({"head": one}, "head '.*' is not in softmax, sigmoid, none")
            for one in ("tanh", 3, [], True, np.zeros(2), "")
        ),
        *(({"output": one}, "this network has no output .*; it returns") for one in (1, 7, "logits", (0, 0), 10**30)),
        *(({"output": one}, "output must be the index or the name") for one in (True, 1.5, [0], (), object(), (None,))),
        *(
            ({"name": one}, "name must be text of one line")
            for one in (3, True, b"a", LONG, "a\nb", "a\0", [], np.zeros(3))
        ),
        *(({"unit": one}, "unit must be text of one line") for one in (3, True, b"a", LONG, "a\nb", ["m"], NET)),
        *(({"progress": one}, "progress must be a function") for one in (3, True, "x", [])),
        *(({"preprocess": one, "input_size": None}, "preprocess") for one in (3, "x", [], True)),
        ({"preprocess": print}, "preprocess replaces input_size, mean, std and input_channels"),
    ],
)
def test_wrong_arguments_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        camviz.load_model(NET, **{"input_size": SIDE} | given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "load_model takes a name of the catalog, an nn.Module, .*; got NoneType"),
        (3, "got int"),
        (True, "got bool"),
        (b"resnet18", "got bytes"),
        ([NET], "got list"),
        (torch.zeros(3), "got Tensor"),
        (lambda x: x, "got function"),
        (Small, r"got Small: call it first, as in Small\(\)"),
        (torchvision.models.resnet18, "got function"),
        (NET.state_dict(), "a state dict needs its architecture"),
        (Image.new("RGB", (20, 20)), "got Image"),
        ("", "'' is not in"),
        ("resnet19", "'resnet19' is not in .*; did you mean 'resnet"),
        (LONG, "is not in"),
        (LONG + ".pt", "there is no file x{200}: check the path"),
        ("a\0b.pt", "there is no file"),
        ("no.pt", "there is no file no.pt"),
        (Path("no.pt2"), "there is no file no.pt2"),
        (Path(), r"there is no file \.: check the path"),
        (nn.Sequential(), "."),
        (nn.Linear(3, 2), "Linear"),
    ],
)
def test_wrong_networks_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        camviz.load_model(given)


# ---------------------------------------------------------------------------------------------------- Model's methods

MODEL = load(NET)


@pytest.mark.parametrize("k", [2, np.int64(2), np.array(2), torch.tensor(2)])
def test_accepted_numbers_of_predictions(k) -> None:
    assert MODEL.predict(IMAGE, k) == MODEL.predict(IMAGE)[:2]


@pytest.mark.parametrize("k", [0, -1, True, np.True_, 1.5, "3", None, int, [], np.zeros(3), torch.tensor(2.0)])
def test_wrong_numbers_of_predictions_are_refused(k) -> None:
    with pytest.raises(CamvizError, match="the number of predictions must be a whole number, at least 1; got"):
        MODEL.predict(IMAGE, k)


@pytest.mark.parametrize("fit", ["zoom", "", None, 3, [], {}, np.zeros(2), ["crop"]])
def test_wrong_fits_are_refused(fit) -> None:
    for function in (MODEL.predict, MODEL.preprocess, MODEL.view):
        with pytest.raises(CamvizError, match=r"fit '.*' is not in crop, pad, stretch"):
            function(IMAGE, fit=fit)


@pytest.mark.parametrize("name", ["x", "", None, 3, [], np.zeros(3), np.zeros(2, "f4,f4"), NET.second])
def test_wrong_layers_are_refused(name) -> None:
    for function in (MODEL.layer, MODEL.module):
        with pytest.raises(CamvizError, match=r"layer '.*' is not in Small"):
            function(name)


@pytest.mark.parametrize("target", [1, "class 1", "CLASS 1", np.int8(1), torch.tensor(1), np.array(1)])
def test_accepted_forms_of_a_class(target) -> None:
    assert MODEL.class_index(target) == 1


@pytest.mark.parametrize("target", [-1, 4, 10**30, "cat", "", None, True, np.True_, 1.0, [1], np.ones(1), torch.eye(4)])
def test_wrong_classes_are_refused(target) -> None:
    with pytest.raises(
        CamvizError, match=r"^(Small has the classes 0 to 3; got|class '.*' is not in|a class is an index)"
    ):
        MODEL.class_index(target)
