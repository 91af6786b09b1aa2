"""Receptive fields: against arithmetic on plain stacks, and against the gradient's support."""

import torch
from torch import nn

from camviz.receptive_field import receptive_field, strongest
from camviz.tape import input_gradient


def stack(*layers: nn.Module) -> nn.Sequential:
    body = nn.Sequential(*layers)
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)).eval()


def test_equals_arithmetic_with_stride_padding_and_max_pooling() -> None:
    net = stack(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 5, stride=2), nn.ReLU())
    x = torch.randn(1, 3, 40, 56)
    net(x)
    # Output r reads pooled rows 2r .. 2r+4, which read conv rows 4r .. 4r+9, which read pixels 4r-1 .. 4r+10.
    assert receptive_field(net, x, net[0], 3, 5) == (11, 19, 23, 31)
    assert receptive_field(net, x, net[0], 0, 0) == (0, 0, 11, 11)


def test_contains_the_gradient_and_is_touched_by_it(lite0, coffee) -> None:
    layer = lite0.module("blocks.1")
    x = lite0.preprocess(coffee)
    top, left, bottom, right = receptive_field(lite0.net, x, layer, 20, 30)

    def middle(activation: torch.Tensor) -> torch.Tensor:
        return activation[:, :, 20, 30].sum(dim=1)

    support = input_gradient(lite0.net, x, middle, layer)[0].abs().sum(dim=0) > 0
    rows, columns = support.any(dim=1).nonzero().flatten(), support.any(dim=0).nonzero().flatten()
    assert (rows.min(), rows.max() + 1) == (top, bottom)
    assert (columns.min(), columns.max() + 1) == (left, right)


def test_global_pooling_sees_everything() -> None:
    class Gate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()

    net = stack(nn.Conv2d(3, 4, 3), Gate())
    x = torch.randn(1, 3, 20, 24)
    net(x)
    assert receptive_field(net, x, net[0], 4, 4) == (0, 0, 20, 24)


def test_strongest_is_the_maximum() -> None:
    net = stack(nn.Conv2d(3, 4, 3, padding=1))
    x = torch.zeros(1, 3, 12, 16)
    x[0, :, 7, 9] = 1
    with torch.no_grad():
        net(x)
        net[0][0].weight.zero_()
        net[0][0].weight[2, :, 1, 1] = 1
    assert strongest(net, x, net[0], 2) == (7, 9)
