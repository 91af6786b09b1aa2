"""First-layer filters as images, compared with loops."""

import numpy as np
import torch
from torch import nn

import camviz
from camviz.inspection.filters import Filters, first_filters


def test_filter_images_are_scaled_by_the_largest_weight(lite0) -> None:
    found = first_filters(lite0)
    assert found is not None and found.name == "conv_stem"
    weights = lite0.net.conv_stem.weight
    assert found.images.shape == (32, 3, 3, 3)
    largest = max(abs(float(w)) for w in weights.flatten())
    for n, y, x, c in ((0, 0, 0, 0), (5, 2, 1, 2), (31, 1, 2, 1)):
        assert found.images[n, y, x, c] == round(127.5 + 127.5 * float(weights[n, c, y, x]) / largest)
    assert found.images.min() == 0 or found.images.max() == 255


def test_zero_weight_is_gray() -> None:
    weights = np.zeros((2, 3, 1, 2), np.float32)
    weights[0, 0, 0, 0], weights[1, 2, 0, 1] = 4, -2
    assert Filters("c", weights).images.tolist() == [
        [[[255, 128, 128], [128, 128, 128]]],
        [[[128, 128, 128], [128, 128, 64]]],
    ]
    assert (Filters("c", 0 * weights).images == 128).all()


def test_first_filters_need_a_convolution_of_colors() -> None:
    net = nn.Sequential(
        nn.PixelUnshuffle(2), nn.Conv2d(12, 4, 3), nn.Conv2d(4, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert first_filters(camviz.load_model(net, input_size=(32, 32))) is None


def test_first_filters_are_those_of_the_first_layer_that_runs() -> None:
    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.second, self.first = nn.Conv2d(3, 5, 1), nn.Conv2d(3, 3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x)).mean(dim=(2, 3))

    model = camviz.load_model(Swapped(), input_size=(32, 32))
    found = first_filters(model)
    assert found is not None and found.name == "first"
    assert np.array_equal(found.weights, model.net.first.weight.numpy())
