"""Layer summary: parameters, shapes and depth; the strip to scale."""

import pytest
import torch
from torch import nn

import camviz
from camviz.inspection.summary import LayerRow, blank, layer_summary, to_scale
from camviz.tape import activations


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class Branched(nn.Module):
    """A module used twice, a weight without a module, one shared weight, and a head that only training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.last, self.head = nn.Conv2d(4, 8, 3, 2, 1), nn.Linear(8, 5)
        self.same = nn.Conv2d(4, 8, 3, 2, 1)
        self.same.weight = self.last.weight
        self.training_only = nn.Linear(8, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(self.twice(self.first(x))) * self.scale
        return self.head((self.last(x) + self.same(x)).mean(dim=(2, 3)))


@pytest.mark.parametrize("names", [None, "every"])
def test_parameters_sum_to_those_of_the_network(lite0, names) -> None:
    rows = layer_summary(lite0, names and [layer.name for layer in lite0.layers])
    assert sum(row.parameters for row in rows) == parameter_count(lite0.net) == 4652008
    found = {row.name: row.parameters for row in rows}
    net = lite0.net
    if names is None:
        assert found["bn1"] == parameter_count(net.conv_stem) + parameter_count(net.bn1)
        assert found["blocks.3"] == parameter_count(net.blocks[3])
        assert found["bn2"] == parameter_count(net.conv_head) + parameter_count(net.bn2)
    else:
        assert found["conv_stem"] == 32 * 3 * 3 * 3 and found["bn1"] == 64
        assert found["blocks.3"] == 0  # its parts stand in the rows above
    assert found["class scores"] == 1280 * 1000 + 1000


def test_shapes_equal_the_activations(lite0) -> None:
    rows = layer_summary(lite0)
    assert [row.place for row in rows] == ["image", *["layer"] * (len(rows) - 2), "scores"]
    assert rows[0].shape == "3 x 224 x 224" and rows[-1].shape == "1000 x 1 x 1"
    for row in rows[1:-1]:
        assert activations(lite0.net, blank(lite0), lite0.module(row.name))[0].shape[1:] == (
            row.channels,
            row.height,
            row.width,
        )


def test_summary_of_shared_reused_and_unused_parameters() -> None:
    model = camviz.load_model(Branched(), input_size=(32, 48))
    rows = layer_summary(model)
    assert sum(row.parameters for row in rows) == parameter_count(model.net)
    assert [(row.name, row.parameters, row.depth) for row in rows] == [
        ("image", 0, 0),
        ("first", 4 * 27 + 4, 1),
        ("twice", 4 * 36 + 4, 3),
        ("last", 8 * 36 + 8, 4),
        ("same", 8, 5),
        ("class scores", 8 * 5 + 5 + 4, 6),  # the bare scale belongs to the whole network, which ends last of all
        ("(not in this pass)", 8 * 7 + 7, 6),
    ]


def test_depth_counts_layers_with_weights_on_all_branches() -> None:
    model = camviz.load_model("resnet18", weights="random")
    found = {row.name: row.depth for row in layer_summary(model)}
    assert (found["relu"], found["layer1"], found["layer2"], found["layer4"]) == (1, 5, 10, 20)
    assert found["class scores"] == 21


def test_strip_is_to_scale() -> None:
    rows = [
        LayerRow("image", "input", 3, 64, 64),
        LayerRow("a", "Conv2d", 30, 32, 32, depth=1),
        LayerRow("b", "Conv2d", 60, 8, 8, depth=4),
        LayerRow("class scores", "output", 7, 1, 1, depth=5),
    ]
    bars = to_scale(rows)
    assert [bar.height for bar in bars] == [1, 1 / 2, 1 / 8, 1 / 64]
    assert [bar.length for bar in bars] == pytest.approx([0.45 * n / 100 for n in (3, 30, 60, 7)])
    ends = [bar.left + bar.length for bar in bars]
    gaps = [after.left - end for after, end in zip(bars[1:], ends, strict=False)]
    assert gaps == pytest.approx([0.55 / 5, 3 * 0.55 / 5, 0.55 / 5])
    assert bars[0].left == 0 and ends[-1] == pytest.approx(1)
