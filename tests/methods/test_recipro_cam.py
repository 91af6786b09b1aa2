"""Recipro-CAM compared with a loop over positions."""

import pytest
import torch

from camviz import scores
from camviz.methods.recipro_cam import recipro_cam
from tests.methods.nets import Modules, Residual, build, close, random_images


def above(net, kind, activation):
    """Run what follows the layer."""
    return net.head(net.features[6](activation)) if kind is Modules else net.head(activation)


@pytest.mark.parametrize("window", ["3 x 3", "1 x 1", "3 x 3 copies"])
@pytest.mark.parametrize("measure", ["class probability", "score"])
@pytest.mark.parametrize(("kind", "layer"), [(Modules, "features.5"), (Residual, "second")])
def test_recipro_cam_equals_the_loop(kind, layer, window, measure):
    net, x = build(kind), random_images()
    with torch.no_grad():
        maps = net.features[:6](x) if kind is Modules else net.second(net.first(net.relu(net.stem(x))))
        height, width = maps.shape[2:]
        expected = torch.zeros(2, height, width).double()
        for row in range(height):
            for column in range(width):
                kept = torch.zeros_like(maps)
                for down in (-1, 0, 1):
                    for right in (-1, 0, 1):
                        i, j = row + down, column + right
                        if 0 <= i < height and 0 <= j < width:
                            weight = (
                                0.25 * 0.5 ** (abs(down) + abs(right)) if window != "1 x 1" else not (down or right)
                            )
                            place = (row, column) if window == "3 x 3 copies" else (i, j)
                            kept[:, :, i, j] = maps[:, :, *place] * weight
                found = above(net, kind, kept)
                expected[:, row, column] = (found if measure == "score" else found.softmax(dim=1))[:, 2]
    expected -= expected.amin(dim=(1, 2), keepdim=True)
    close(recipro_cam(net, x, scores.logit(2), net.get_submodule(layer), window=window, measure=measure), expected)
