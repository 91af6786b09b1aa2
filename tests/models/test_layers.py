"""The layers of a network, from one forward pass."""

import copy
from typing import Any, NamedTuple

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

import camviz
from camviz import models
from camviz.models.layers import probe


def short_list(model: models.Model) -> list[str]:
    return [layer.name for layer in model.layers if layer.main]


def maps_by_hooks(net: nn.Module, size: tuple[int, int]) -> list[tuple[str, int, int, int]]:
    """Return every module with a 4-D output of more than one position, in the order of its last call, by hooks."""
    seen: dict[str, tuple[int, int, int]] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            seen.pop(name, None)
            if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                seen[name] = tuple(output.shape[1:])  # type: ignore[assignment]

        return hook

    for name, module in net.named_modules():
        module.register_forward_hook(keep(name))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, *size))
    return [(name, *shape) for name, shape in seen.items()]


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "densenet121"])
def test_layers_equal_those_found_by_hooks(name: str) -> None:
    model = models.load_model(name, weights="random")
    passive = ("Identity", "Dropout")
    expected = [
        row
        for row in maps_by_hooks(tv.get_model(name, weights=None), model.input_size)
        if type(model.net.get_submodule(row[0])).__name__ not in passive
    ]
    assert [(layer.name, layer.channels, layer.height, layer.width) for layer in model.layers] == expected
    assert all(layer.kind == type(model.module(layer.name)).__name__ for layer in model.layers)


STAGES = ["relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
SHORT_LISTS = {
    "resnet18": (5, "relu maxpool layer1.0 layer1 layer2.0 layer2 layer3.0 layer3 layer4.0 layer4"),
    "alexnet": (4, "features.1 features.2 features.4 features.5 features.7 features.9 features.11 avgpool"),
    "squeezenet1_1": (4, " ".join(f"features.{n}" for n in range(1, 13)) + " classifier.2"),
    "mobilenet_v3_large": (5, " ".join(f"features.{n}" for n in range(16)) + " features"),
    "efficientnet_b0": (5, " ".join(f"features.{n}" for n in range(8)) + " features"),
    "convnext_tiny": (4, " ".join(f"features.{n}" for n in range(7)) + " features"),
    "densenet121": (
        5,
        "features.relu0 features.pool0 features.denseblock1 features.transition1 features.denseblock2 "
        "features.transition2 features.denseblock3 features.transition3 features",
    ),
    "googlenet": (
        5,
        "conv1 maxpool1 conv2 conv3 maxpool2 inception3a inception3b maxpool3 inception4a inception4b inception4c "
        "inception4d inception4e maxpool4 inception5a inception5b",
    ),
    "timm/mobilenetv3_small_050": (5, "bn1 blocks.0 blocks.1 blocks.2 blocks.3 blocks.4 blocks"),
}


@pytest.mark.parametrize(("name", "stages", "names"), [(name, *row) for name, row in SHORT_LISTS.items()])
def test_main_layers_of_known_architectures(name: str, stages: int, names: str, coffee: Any) -> None:
    model = models.load_model(name, weights="random")
    assert short_list(model) == names.split()
    assert model.default_layer == model.layers[-1].name == names.split()[-1]
    assert model.stages == stages
    assert {layer.stage for layer in model.layers} == set(range(1, stages + 1))
    assert len(model.predict(coffee)) == 5


def test_inception_sizes_149_and_147_are_one_stage() -> None:
    model = models.load_model("inception_v3", weights="random")
    sizes = {(layer.stage, layer.height) for layer in model.layers}
    assert sizes == {(1, 149), (1, 147), (2, 73), (2, 71), (3, 35), (4, 17), (5, 8)}


class Twice(nn.Module):
    """One ReLU at two sizes, channels last in between, and two outputs, the first of which has the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Conv2d(6, 10, 3, stride=4, padding=1)
        self.norm = nn.LayerNorm(10)
        self.mix = nn.Linear(10, 10)
        self.gate = nn.GELU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(10, 7)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.relu(self.stem(x))
        x = self.relu(self.down(x))
        x = self.gate(self.mix(self.norm(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
        return self.head(self.pool(x).flatten(1)), x


def test_layers_of_a_custom_network() -> None:
    model = models.load_model(Twice(), input_size=(48, 80), mean=(0, 0, 0), std=(1, 1, 1), name="twice")
    assert [(layer.name, layer.channels, layer.height, layer.width, layer.stage) for layer in model.layers] == [
        ("stem", 6, 24, 40, 1),
        ("down", 10, 6, 10, 2),
        ("relu", 10, 6, 10, 2),
    ]
    assert short_list(model) == ["stem", "relu"]
    assert (model.default_layer, model.stages, model.name, str(model.weights)) == ("relu", 2, "twice", "custom")
    assert model.categories == tuple(f"class {index}" for index in range(7))
    assert model.preprocess(red_image()).shape == (1, 3, 48, 80)
    assert len(model.predict(red_image())) == 5


def red_image() -> Any:
    from PIL import Image

    return Image.new("RGB", (90, 60), (200, 30, 30))


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.backbone = net

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.backbone(x)}


def test_main_layers_inside_wrappers() -> None:
    net = nn.Sequential(nn.AvgPool2d(2), Wrapped(tv.resnet18(num_classes=3)))
    model = models.load_model(net, input_size=(128, 128))
    assert short_list(model) == ["0", *(f"1.backbone.{name}" for name in SHORT_LISTS["resnet18"][1].split())]
    assert len(model.categories) == 3


def test_many_main_layers_are_reduced_to_stages() -> None:
    net = probe(tv.resnet101().eval(), (64, 64))
    assert [layer.name for layer in net.layers if layer.main] == STAGES


def test_given_network_is_not_changed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.LazyLinear(2))
    net(torch.zeros(2, 3, 16, 16)).sum().backward()
    before = copy.deepcopy(net.state_dict())
    gradient = net[0].weight.grad.clone()
    model = models.load_model(net, input_size=(16, 16))
    model.predict(red_image())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(net[0].weight.grad, gradient)
    assert all(module.training for module in net.modules())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.net.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.net.parameters())


def test_probe_does_not_change_the_network() -> None:
    net = tv.resnet18().eval()
    before = copy.deepcopy(net.state_dict())
    probe(net, (64, 64))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


class Scores(NamedTuple):
    logits: Tensor
    extra: Tensor


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 16 * 16, 4)

    def forward(self, x: Tensor) -> Scores:
        return Scores(self.head(x.flatten(1)), x)


def test_network_without_feature_maps_has_no_layers() -> None:
    model = models.load_model(Flat(), input_size=(16, 16), categories=["a", "b", "c", "d"])
    assert (model.layers, model.default_layer, model.stages) == ((), "", 0)
    with pytest.raises(camviz.CamvizError, match="layer 'head' is not in Flat"):
        model.layer("head")


def test_double_precision_is_kept() -> None:
    model = models.load_model(Flat().double(), input_size=(16, 16))
    assert model.preprocess(red_image()).dtype == torch.float64
    assert len(model.predict(red_image())) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"input_size": (32, 32)}, r"Flat does not run on an image of shape \(1, 3, 32, 32\).*mat1 and mat2"),
        ({"input_size": (16, 16), "categories": ["a", "b"]}, "Flat has 4 classes; got 2 categories"),
        ({"input_size": (16, 16), "mean": (0.5,)}, "mean must be three numbers, for red, green and blue; got 1"),
        ({"input_size": (16, 16), "weights": "random"}, "random weights are for networks of the catalog"),
        ({"input_size": (16, 16), "weights": "no.pth"}, "'default', 'random' or a file; there is no file no.pth"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(camviz.CamvizError, match=sentence):
        models.load_model(Flat(), **arguments)


def test_network_must_end_in_class_scores() -> None:
    with pytest.raises(
        camviz.CamvizError, match=r"class scores of shape \(batch, classes\); it returned shape \(2, 4,"
    ):
        models.load_model(nn.Conv2d(3, 4, 3), input_size=(16, 16))


def test_custom_labels_and_duplicates() -> None:
    model = models.load_model(Flat(), input_size=(16, 16), categories=["crane", "heron", "crane", "Stork"])
    assert model.class_index("stork") == 3
    with pytest.raises(camviz.CamvizError, match="'crane' stands for the classes 0 and 2; give the index"):
        model.class_index("crane")
