"""Which part of the picture an activation can see."""

import torch
from torch import Tensor, nn

from .tape import activations

Box = tuple[int, int, int, int]


def strongest(
    net: nn.Module, x: Tensor, layer: nn.Module, feature_map: int, row: int | None = None, column: int | None = None
) -> tuple[int, int]:
    """(row, column) of the strongest activation of a feature map, for one picture (1, 3, H, W).

    With `row` or `column` given, only among the activations there.
    """
    allowed = activations(net, x, layer)[0][0, feature_map]
    first_row, first_column = row or 0, column or 0
    allowed = allowed if row is None else allowed[row : row + 1]
    allowed = allowed if column is None else allowed[:, column : column + 1]
    place = int(allowed.argmax())
    return first_row + place // allowed.shape[1], first_column + place % allowed.shape[1]


def receptive_field(net: nn.Module, x: Tensor, layer: nn.Module, row: int, column: int) -> Box:
    """The receptive field of one place of a layer, as (top, left, bottom, right) in pixels of x, (1, 3, H, W).

    Found by trial: pixels are made not-a-number, which every operation hands on, and the field's edge is where the
    activation stops being one. So it is exact for any network; behind a global pooling it is the whole picture.
    """
    height, width = x.shape[2:]
    low = [0, 0, 0, 0]  # pixels from the top, left, bottom and right that are known to lie outside
    high = [height, width, height, width]  # pixels from there that are known to reach inside
    while any(after - before > 1 for before, after in zip(low, high, strict=True)):
        middle = [(before + after) // 2 for before, after in zip(low, high, strict=True)]
        trial = x.repeat(4, 1, 1, 1)
        trial[0, :, : middle[0]] = torch.nan
        trial[1, :, :, : middle[1]] = torch.nan
        trial[2, :, height - middle[2] :] = torch.nan
        trial[3, :, :, width - middle[3] :] = torch.nan
        reached = activations(net, trial, layer)[0][:, :, row, column].isnan().any(dim=1)
        for side in range(4):
            if reached[side]:
                high[side] = middle[side]
            else:
                low[side] = middle[side]
    return low[0], low[1], height - low[2], width - low[3]
