"""Feature visualization of networks with gray or other input channels."""

import numpy as np
import pytest
import torch
from torch import nn

import camviz
from camviz.feature_visualization.synthesis import feature_function, synthesize
from camviz.inspection.filters import first_filters
from camviz.registry import SYNTHESES

CHANNELS = {1: ("gray",), 2: ("gray", "black"), 4: ("blue", "green", "red", "gray")}


def network(count: int) -> camviz.Model:
    torch.manual_seed(count)
    net = nn.Sequential(nn.Conv2d(count, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    half = [0.5] * count
    return camviz.load_model(net, input_size=(24, 24), input_channels=CHANNELS[count], mean=half, std=half)


@pytest.mark.parametrize("count", CHANNELS)
@pytest.mark.parametrize("method", SYNTHESES)
def test_every_synthesis_works_with_other_input_channels(method: str, count: int) -> None:
    model = network(count)
    image = np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8)
    from PIL import Image

    knobs = {"octaves": 1} if "octaves" in SYNTHESES[method].knobs else {}
    made = synthesize(model, method, image=Image.fromarray(image), target=0, steps=16, **knobs)
    assert made.image.shape == (24, 24, 3) and made.image.std() > 0
    gray = bool((made.image[..., 0] == made.image[..., 1]).all() and (made.image[..., 0] == made.image[..., 2]).all())
    assert gray == (count < 3)


def test_feature_function_converts_channels_and_normalizes() -> None:
    model = network(4)
    x = torch.rand(1, 3, 24, 24)
    mixed = torch.stack([x[0, 2], x[0, 1], x[0, 0], (19595 * x[0, 0] + 38470 * x[0, 1] + 7471 * x[0, 2]) / 65536])
    torch.testing.assert_close(feature_function(model).normalized(x), (mixed[None] - 0.5) / 0.5)


def test_filters_of_a_gray_network_are_gray() -> None:
    model = network(1)
    found = first_filters(model)
    weights = model.net.get_parameter("0.weight").numpy()
    assert found is not None and found.weights.shape == (6, 1, 3, 3)
    expected = np.rint(127.5 * (1 + weights[:, 0] / np.abs(weights).max()))
    assert all((found.images[..., color] == expected).all() for color in range(3))
    assert first_filters(network(4)) is None
