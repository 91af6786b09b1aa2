"""Receptive fields compared with arithmetic on plain stacks and with the support of the gradient."""

import pytest
import torch
from torch import nn

import camviz
from camviz.inspection.cell_fields import cell_fields
from camviz.inspection.receptive_field import receptive_field, receptive_fields, strongest
from camviz.tape import activations, input_gradient
from tests.methods import nets


def stack(*layers: nn.Module) -> nn.Sequential:
    body = nn.Sequential(*layers)
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)).eval()


def test_receptive_field_equals_arithmetic() -> None:
    net = stack(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, stride=2), nn.ReLU())
    x = torch.randn(1, 3, 40, 56)
    net(x)
    # Output r reads pooled rows 2r .. 2r+4, which read conv rows 4r .. 4r+9, which read pixels 4r-1 .. 4r+10.
    assert receptive_field(net, x, net[0], 3, 5) == (11, 19, 23, 31)
    assert receptive_field(net, x, net[0], 0, 0) == (0, 0, 11, 11)


def test_receptive_field_equals_the_support_of_the_gradient(lite0, coffee) -> None:
    layer = lite0.module("blocks.1")
    x = lite0.preprocess(coffee)
    top, left, bottom, right = receptive_field(lite0.net, x, layer, 20, 30)

    def middle(activation: torch.Tensor) -> torch.Tensor:
        return activation[:, :, 20, 30].sum(dim=1)

    support = input_gradient(lite0.net, x, middle, layer)[0].abs().sum(dim=0) > 0
    rows, columns = support.any(dim=1).nonzero().flatten(), support.any(dim=0).nonzero().flatten()
    assert (rows.min(), rows.max() + 1) == (top, bottom)
    assert (columns.min(), columns.max() + 1) == (left, right)


def test_global_pooling_has_the_whole_image_as_receptive_field() -> None:
    class Gate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()

    net = stack(nn.Conv2d(3, 4, 3), Gate())
    x = torch.randn(1, 3, 20, 24)
    net(x)
    assert receptive_field(net, x, net[0], 4, 4) == (0, 0, 20, 24)
    found = cell_fields(net, x, net[0], 18, 22)
    assert found is not None and found.whole and found.box(17, 0) == (0, 0, 20, 24)


def test_strongest_returns_the_position_of_the_maximum() -> None:
    net = stack(nn.Conv2d(3, 4, 3, padding=1))
    x = torch.zeros(1, 3, 12, 16)
    x[0, :, 7, 9] = 1
    with torch.no_grad():
        net(x)
        net[0][0].weight.zero_()
        net[0][0].weight[2, :, 1, 1] = 1
    assert strongest(net, x, net[0], 2) == (7, 9)


def middle(layer) -> tuple[int, int]:
    return layer.height // 2, layer.width // 2


def box_of(reached: torch.Tensor, lines: torch.Tensor) -> tuple[int, int, int, int]:
    rows, columns = reached.nonzero().flatten(), lines.nonzero().flatten()
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


@pytest.mark.parametrize("kind", [nets.Modules, nets.Functional, nets.Residual])
def test_receptive_fields_equal_a_search_line_by_line(kind) -> None:
    net = nets.build(kind)
    x = nets.random_images(1)
    places = []
    for name in kind.layers:
        layer = net.get_submodule(name)
        height, width = activations(net, x, layer)[0].shape[2:]
        places += [(layer, 0, width - 1), (layer, height // 2, width // 2), (layer, height - 1, 0)]

    def reached_by(axis: int, line: int, place) -> bool:
        layer, row, column = place
        trial = x.clone()
        trial.select(axis, line).fill_(torch.nan)
        return bool(activations(net, trial, layer)[0][0, :, row, column].isnan().any())

    progress: list[tuple[int, int]] = []
    found = receptive_fields(net, x, places, lambda done, total: progress.append((done, total)))
    for place, box in zip(places, found, strict=True):
        rows, columns = (torch.tensor([reached_by(axis, n, place) for n in range(x.shape[axis])]) for axis in (2, 3))
        assert box == box_of(rows, columns)
    assert progress == sorted(progress) and progress[-1][0] == progress[-1][1]


def test_receptive_field_of_a_reused_layer_is_that_of_its_last_run() -> None:
    net = nets.build(nets.Residual)
    x = nets.random_images(1)
    first, last = receptive_fields(net, x, [(net.stem, 3, 3), (net.relu, 2, 3)])
    assert last == receptive_field(net, x, net.second, 2, 3) != first
    assert first == (5, 5, 8, 8)
    assert receptive_fields(net, x, []) == []


@pytest.mark.parametrize(
    ("name", "weights"),
    [("efficientnet_lite0", "default"), ("resnet18", "random"), ("mobilenet_v3_small", "random")],
)
def test_receptive_fields_of_main_layers_contain_the_gradient(name, weights) -> None:
    model = camviz.load_model(name, weights=weights, input_size=(128, 128))
    layers = [layer for layer in model.layers if layer.main]
    net, images = model.net, torch.randn(4, 3, *model.input_size, generator=torch.Generator().manual_seed(3))
    boxes = receptive_fields(net, images[:1], [(model.module(layer.name), *middle(layer)) for layer in layers])
    exact = 0
    for layer, box in zip(layers, boxes, strict=True):

        def at_middle(activation: torch.Tensor, layer=layer) -> torch.Tensor:
            return activation[:, :, layer.height // 2, layer.width // 2].sum(dim=1)

        gradient = input_gradient(net, images, at_middle, model.module(layer.name))
        support = (gradient != 0).any(dim=1).any(dim=0)
        rows, columns = support.any(dim=1), support.any(dim=0)
        top, left, bottom, right = box_of(rows, columns)
        assert top >= box[0] and left >= box[1] and bottom <= box[2] and right <= box[3]
        exact += (top, left, bottom, right) == box
    assert exact >= len(layers) - 2  # a max-pool's outermost pixels need not win in any of four images


@pytest.mark.parametrize("kind", [nets.Modules, nets.Functional, nets.Residual])
def test_cell_fields_equal_single_receptive_fields(kind) -> None:
    net, x = nets.build(kind), nets.random_images(1)
    for name in kind.layers:
        layer = net.get_submodule(name)
        rows, columns = activations(net, x, layer)[0].shape[2:]
        found = cell_fields(net, x, layer, rows, columns)
        assert found is not None
        places = [(row, column) for row in range(rows) for column in range(columns)]
        expected = receptive_fields(net, x, [(layer, *place) for place in places])
        assert [found.box(*place) for place in places] == expected


def test_cell_fields_of_strided_windows_equal_arithmetic() -> None:
    net = stack(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, stride=2), nn.ReLU())
    x = torch.randn(1, 3, 40, 56)
    net(x)
    found = cell_fields(net, x, net[0], 8, 12)
    assert found is not None and not found.whole
    # As in the first test: pixels 4r-1 .. 4r+10, cut off at the border.
    assert found.rows == tuple((max(0, 4 * row - 1), min(40, 4 * row + 11)) for row in range(8))
    assert found.columns == tuple((max(0, 4 * column - 1), min(56, 4 * column + 11)) for column in range(12))
    pooled = cell_fields(net, x, net[1], 1, 1)  # the last line of pixels is read by no window
    assert pooled is not None and pooled.box(0, 0) == (0, 0, 39, 55) and not pooled.whole


def test_irregular_cell_fields_are_none() -> None:
    class Shuffled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flip(2)

    net = stack(nn.Conv2d(3, 4, 3, padding=1), Shuffled())
    x = torch.randn(1, 3, 16, 16)
    net(x)
    assert receptive_field(net, x, net[0], 0, 5) == (14, 4, 16, 7)
    assert cell_fields(net, x, net[0], 16, 16) is None


@pytest.mark.parametrize(("name", "weights"), [("efficientnet_lite0", "default"), ("resnet18", "random")])
def test_cell_fields_of_real_networks_equal_single_receptive_fields(name, weights) -> None:
    model = camviz.load_model(name, weights=weights, input_size=(128, 128))
    layers = [layer for layer in model.layers if layer.main]
    x = torch.randn(1, 3, *model.input_size, generator=torch.Generator().manual_seed(3))
    for layer in layers[1::3]:
        module = model.module(layer.name)
        found = cell_fields(model.net, x, module, layer.height, layer.width)
        places = [(0, layer.width - 1), (layer.height // 3, 1)]
        assert found is not None
        expected = receptive_fields(model.net, x, [(module, *place) for place in places])
        assert [found.box(*place) for place in places] == expected
