"""The default layer of Inspect, for maps with known ties and for the embedded network."""

import numpy as np
import pytest
import torch
from torch import nn

from camviz.inspection.opening_layer import opening_layer, tied_share
from camviz.tape import activations


def maps_of(*maxima: float) -> np.ndarray:
    maps = np.full((len(maxima), 2, 3), -1, np.float32)
    maps[:, 1, 2] = maxima
    return maps


@pytest.mark.parametrize(
    ("maxima", "share"),
    [
        ([6.0] * 30, 1.0),
        ([6.0] * 7 + [1.0] * 30, 6 / 23),
        ([6.0, 5.997, 5.9, 1.0], 1 / 3),  # equal to 0.1%
        ([3.0, 2.0], 0.0),
        ([3.0], 0.0),
        ([0.0, 0.0], 1.0),
        ([-2.0, -1.0], 1.0),
    ],
)
def test_tied_share_of_known_maps(maxima: list[float], share: float) -> None:
    assert tied_share(maps_of(*maxima)) == pytest.approx(share)


def test_opening_layer_is_the_deepest_unsaturated_one() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Hardtanh(0, 1e-3), nn.Flatten(), nn.Linear(128, 4))
    x = torch.randn(1, 3, 8, 8)
    layers = [(name, net[int(name)]) for name in "012"]
    assert opening_layer(net, x, layers) == "1"
    assert opening_layer(net, x, layers[:1]) == "0"
    assert opening_layer(net, x, layers[2:]) == "2"  # nothing else to show


@pytest.mark.parametrize("sample", ["coffee", "koala", "rocket"])
def test_opening_layer_of_the_embedded_network(lite0, coffee, sample) -> None:
    x = lite0.preprocess(coffee.with_name(f"{sample}.jpg"))
    main = [(layer.name, lite0.module(layer.name)) for layer in lite0.layers if layer.main]
    assert opening_layer(lite0.net, x, main) == "blocks.6"
    last = activations(lite0.net, x, lite0.module("bn2"))[0][0].numpy()
    assert np.sort(last.max(axis=(1, 2)))[-24:].tolist() == [6.0] * 24
