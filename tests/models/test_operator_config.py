"""The operator's configuration: its networks are offered and loaded; each error names the entry."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv
from torch import nn

import camviz
from camviz import CamvizError, models
from camviz.models import offers, shared


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.shared, "_slots", type(shared._slots)())
    monkeypatch.setattr(offers, "_offers", {})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAMVIZ_CONFIG", str(tmp_path / "camviz.toml"))
    torch.manual_seed(1)
    torch.save(tv.squeezenet1_1(num_classes=3).state_dict(), tmp_path / "birds.pth")
    (tmp_path / "birds.txt").write_text("wren\nrobin\ntit\n")
    return tmp_path


BIRDS = '[[model]]\nname = "birds"\narchitecture = "squeezenet1_1"\nweights = "birds.pth"\n'


def test_networks_of_the_configuration_are_offered(folder: Path) -> None:
    (folder / "camviz.toml").write_text(
        BIRDS + 'categories = "birds.txt"\ntitle = "Birds of the garden"\ninput_size = [64, 96]\n'
        'mean = [0.5, 0.4, 0.3]\nstd = [0.1, 0.2, 0.3]\ninput_channels = ["blue", "green", "red"]\nhead = "sigmoid"\n'
        '[[model]]\nname = "small"\narchitecture = "efficientnet_lite0"\n'
    )
    offered = models.offered_models()
    assert [(entry.name, entry.title, entry.source) for entry in offered[:2]] == [
        ("birds", "Birds of the garden", "custom"),
        ("small", "small", "custom"),
    ]
    assert offered[2:] == models.catalog()
    model = models.shared_model("birds")
    assert (model.name, model.title, model.head) == ("birds", "Birds of the garden", "sigmoid")
    assert (model.categories, model.input_size) == (("wren", "robin", "tit"), (64, 96))
    assert (model.mean, model.std, model.input_channels) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3), ("blue", "green", "red"))
    state = torch.load(folder / "birds.pth")
    assert all(torch.equal(value, state[key]) for key, value in model.net.state_dict().items())
    assert models.shared_model("birds") is model
    assert len(models.shared_model("small").categories) == 1000
    assert models.default_model_name() == "efficientnet_lite0"
    with pytest.raises(
        CamvizError, match="birds is not in the catalog, and only networks of the catalog have random weights"
    ):
        models.shared_model("birds", "random")


def test_configuration_restricts_the_catalog(folder: Path) -> None:
    (folder / "camviz.toml").write_text('catalogue = ["resnet18", "efficientnet_lite1", "resnet81"]\n' + BIRDS)
    names = [entry.name for entry in models.offered_models()]
    assert names[0] == "birds" and set(names[1:]) == {"efficientnet_lite0", "efficientnet_lite1", "resnet18"}
    (fault,) = models.operator_config().faults
    assert fault.startswith("network 'resnet81' is not in the catalog, from which ") and "did you mean 'resnet" in fault
    (folder / "camviz.toml").write_text("catalogue = [")
    assert [entry.name for entry in models.offered_models()] == ["efficientnet_lite0"]


def test_changed_configuration_is_read_again(folder: Path) -> None:
    (folder / "camviz.toml").write_text(BIRDS)
    first = models.shared_model("birds")
    torch.save(tv.squeezenet1_1(num_classes=3).state_dict(), folder / "birds.pth")
    (folder / "camviz.toml").write_text(BIRDS + "# changed\n")
    second = models.shared_model("birds")
    assert second is not first and second.weights != first.weights
    (folder / "camviz.toml").write_text("uploads = false\n")
    assert models.operator_config().uploads is False
    assert models.offered_models() == models.catalog()


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_program_needs_no_architecture(folder: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    torch.jit.save(torch.jit.script(net), folder / "net.pt")
    (folder / "camviz.toml").write_text('[[model]]\nname = "mine"\nweights = "net.pt"\ninput_size = [28, 28]\n')
    assert models.shared_model("mine").input_shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[model", "camviz.toml is no TOML file"),
        ("modles = 3", "setting 'modles' is not in .*camviz.toml; did you mean 'model'?"),
        ("uploads = 3", "uploads in .*camviz.toml must be true or false; got 3"),
        ("model = 3", r"the networks in .*camviz.toml must be tables, each under \[\[model\]\]"),
        ("model = [3]", r"the networks in .*camviz.toml must be tables, each under \[\[model\]\]"),
        ("[[model]]\ntitle = 'x'", "camviz.toml, model 1: it needs a name"),
        (
            "[[model]]\nname = 'x'",
            "camviz.toml, model 1 'x': it needs an architecture of the catalog, weights, or both",
        ),
        (BIRDS + BIRDS, "has two networks of the name 'birds'"),
        (BIRDS + "[[model]]\nname = 'x'\narchitecture = 'resnet81'", "model 2 'x': model 'resnet81' is not in the cat"),
        (BIRDS + "weight = 'x'", "model 1 'birds'; did you mean 'weights'?"),
        (BIRDS + "categories = 'no.txt'", "model 1 'birds': there is no file .*no.txt for its categories"),
        (BIRDS + "mean = 0.5", "model 1 'birds': mean must be a list; got 0.5"),
        (BIRDS + "title = 3", "model 1 'birds': title must be text; got 3"),
        (BIRDS + "output = 1.5", "model 1 'birds': output must be a whole number or text; got 1.5"),
    ],
)
def test_error_names_the_entry(text: str, sentence: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "camviz.toml").write_text(text)
    (fault,) = models.operator_config().faults
    assert re.search(sentence, fault)
    assert fault in [record.getMessage() for record in caplog.records]
    kept = ("birds",) if (text.startswith(BIRDS) and "model 2" in sentence) or text == BIRDS + BIRDS else ()
    assert tuple(models.operator_config().offers) == kept
    closed = models.operator_config().uploads is False  # the file is invalid as a whole
    rest = [entry for entry in models.catalog() if not closed or entry.name == "efficientnet_lite0"]
    assert list(models.offered_models()[len(kept) :]) == rest
    assert models.shared_model("efficientnet_lite0").name == "efficientnet_lite0"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("input_size = [64]", "model 1 'birds': the input size must be"),
        ("input_size = ['a', 'b']", "model 1 'birds': the input size must be .* whole numbers"),
        ("mean = [0.5]", "model 1 'birds': mean must be three numbers"),
        ("std = ['a', 'b', 'c']", "model 1 'birds': std must be numbers"),
        ("std = [0, 1, 1]", "model 1 'birds': std must not be 0"),
        ("head = 'tanh'", "model 1 'birds': head 'tanh' is not in"),
        ("input_channels = [3]", "model 1 'birds': input channel '3' is not in"),
        ("categories = 'two.txt'", "model 1 'birds': squeezenet1_1 has 3 classes; got 2 categories"),
    ],
)
def test_errors_at_loading_name_the_entry(more: str, sentence: str, folder: Path) -> None:
    (folder / "two.txt").write_text("wren\nrobin")
    (folder / "camviz.toml").write_text(BIRDS + more)
    with pytest.raises(CamvizError, match=sentence):
        models.shared_model("birds")


def test_missing_configuration_disables_uploads(folder: Path) -> None:
    found = models.operator_config()
    assert re.search("CAMVIZ_CONFIG names .*camviz.toml, and there is no such file", found.faults[0])
    assert found.uploads is False  # an invalid file must not enable uploads


# ------------------------------------------------------------------------------------------------------- registering


def flat(bias: float = 0) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    nn.init.constant_(net[3].bias, bias)
    return net


def registered(bias: float = 0, **settings: Any) -> camviz.Model:
    models.register(camviz.load_model(flat(bias), input_size=(16, 16), name="mine", **settings))
    return models.shared_model("mine")


def test_registered_network_is_first_until_unregistered() -> None:
    model = registered()
    assert models.offered_models()[0].name == models.default_model_name() == "mine"
    assert models.offered_models()[1:] == models.catalog()
    assert models.shared_model("mine") is model
    models.unregister("mine")
    assert models.default_model_name() == "efficientnet_lite0"
    with pytest.raises(CamvizError, match="model 'mine' is not in the catalog"):
        models.shared_model("mine")


def test_registered_network_hides_the_catalog_entry_of_its_name() -> None:
    models.register(camviz.load_model(flat(), input_size=(16, 16), name="resnet18"))
    names = [entry.name for entry in models.offered_models()]
    assert names.count("resnet18") == 1 and names[0] == "resnet18"
    assert len(models.shared_model("resnet18").categories) == 3


def test_digest_depends_on_weights_classes_and_preprocessing() -> None:
    """The digest changes with the weights, the classes and the preprocessing."""
    variants: list[dict[str, Any]] = [
        {},
        {"bias": 1},
        {"categories": ["a", "b", "c"]},
        {"mean": (0, 0, 0)},
        {"head": "sigmoid"},
        {"input_channels": ("blue", "green", "red")},
        {"device": "cpu"},
    ]
    found = [registered(**variant).weights for variant in variants]
    assert len(set(found)) == len(variants) - 1 and found[-1] == found[0]
    assert all(weights.is_custom and len(weights.name) == 8 for weights in found)


def test_digest_depends_on_the_crop() -> None:
    from torchvision import transforms as T

    marks = set()
    for crop in (16, 24):
        seen = T.Compose([T.CenterCrop(crop), T.Resize(16), T.ToTensor()])
        marks.add(models.with_digest(camviz.load_model(flat(), preprocess=seen)).weights)
    assert len(marks) == 2


def test_recipe_of_another_network_of_that_name_is_refused() -> None:
    old = str(registered().weights)
    assert str(models.shared_model("mine", old).weights) == old
    registered(bias=1)
    with pytest.raises(CamvizError, match=f"the loaded network mine has the weights .*, not '{old}'"):
        models.shared_model("mine", old)
