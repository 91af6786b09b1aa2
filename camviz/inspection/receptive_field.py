"""The receptive field of an activation, in pixels of the image."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..runtime.progress import Progress
from ..tape import activations, needs_batches_of_one, observe

Box = tuple[int, int, int, int]
Place = tuple[nn.Module, int, int]

TRIALS = 4  # images in one forward pass


def strongest(
    net: nn.Module, x: Tensor, layer: nn.Module, feature_map: int, row: int | None = None, column: int | None = None
) -> tuple[int, int]:
    """Return (row, column) of the strongest activation of a feature map, for one image (1, 3, H, W).

    `row` and `column` restrict the search to that row or column.
    """
    allowed = activations(net, x, layer)[0][0, feature_map]
    first_row, first_column = row or 0, column or 0
    allowed = allowed if row is None else allowed[row : row + 1]
    allowed = allowed if column is None else allowed[:, column : column + 1]
    place = int(allowed.argmax())
    return first_row + place // allowed.shape[1], first_column + place % allowed.shape[1]


def receptive_field(net: nn.Module, x: Tensor, layer: nn.Module, row: int, column: int) -> Box:
    """Return the receptive field of one place of a layer, as (top, left, bottom, right) in pixels of x, (1, 3, H, W).

    Exact for any network; after a global pooling it is the whole image. See `receptive_fields`.
    """
    return receptive_fields(net, x, [(layer, row, column)])[0]


def receptive_fields(net: nn.Module, x: Tensor, places: Sequence[Place], progress: Progress | None = None) -> list[Box]:
    """Return the receptive fields of many places (layer, row, column) of one or more layers, from shared passes.

    Found by bisection: rows or columns of pixels from one side are set to NaN, which every operation propagates; the
    edge of the field is where the activation stops being NaN. Every trial narrows all fields. If a layer runs several
    times, its last run counts. A pass ends after the last layer that is still needed.
    """
    height, width = x.shape[2:]
    found = find_edges(net, x, places, unknown_edges(x, len(places)), progress)
    return [(int(top), int(left), int(height - below), int(width - right)) for top, left, below, right in found]


def unknown_edges(x: Tensor, count: int) -> NDArray[np.int_]:
    """Return the initial bounds (count, 4, 2) of fields of which nothing is known.

    For the top, left, bottom and right: the number of lines known to be outside, and one that reaches into the field.
    """
    height, width = x.shape[2:]
    return np.tile(np.array([[0, height], [0, width]] * 2), (count, 1, 1))


def find_edges(
    net: nn.Module, x: Tensor, places: Sequence[Place], bounds: NDArray[np.int_], progress: Progress | None = None
) -> NDArray[np.int_]:
    """Return the lines (places, 4) from each side that lie outside the fields, starting from bounds (places, 4, 2)."""
    low, high = bounds[:, :, 0].copy(), bounds[:, :, 1].copy()
    whole = int(np.log2(high - low).sum())
    ends: dict[nn.Module, int] = {}
    trials = [(side, 1) for side in range(4)]  # first, whether the fields reach the border
    while trials and places:
        unknown = np.flatnonzero((high - low > 1).any(axis=1))
        inputs = torch.cat([_with_nan_lines(x, side, lines) for side, lines in trials])
        seen = reached(net, inputs, [places[place] for place in unknown.tolist()], ends)
        for (side, lines), reaches in zip(trials, seen, strict=True):
            high[unknown[reaches], side] = high[unknown[reaches], side].clip(max=lines)
            low[unknown[~reaches], side] = low[unknown[~reaches], side].clip(min=lines)
        if progress:
            progress(whole - int(np.log2(high - low).sum()), whole)
        middle = (low + high) // 2
        wanted = Counter((int(side), int(middle[place, side])) for place, side in np.argwhere(high - low > 1))
        trials = [trial for trial, _ in wanted.most_common(TRIALS)]
    return low


def _with_nan_lines(x: Tensor, side: int, lines: int) -> Tensor:
    """Return the image with its first `lines` lines from the top (side 0), left, bottom or right set to NaN."""
    trial = x.clone()
    axis = 2 + side % 2
    trial.narrow(axis, 0 if side < 2 else trial.shape[axis] - lines, lines).fill_(torch.nan)
    return trial


def reached(net: nn.Module, trials: Tensor, places: Sequence[Place], ends: dict[nn.Module, int]) -> NDArray[np.bool_]:
    """Return whether each trial reaches each place, (trials, places).

    `ends`: the number of module calls until the last run of each layer. If empty, it is filled by a full pass;
    otherwise the pass ends after the last of these places.
    """
    if len(trials) > 1 and needs_batches_of_one(net):
        return np.concatenate([reached(net, trial[None], places, ends) for trial in trials])
    reaches = np.zeros((len(trials), len(places)), bool)
    stop = max((ends[layer] for layer, _, _ in places), default=0) if ends else 0
    count = 0

    def see(module: nn.Module, output: Any) -> None:
        nonlocal count
        count += 1
        for number, (layer, row, column) in enumerate(places):
            if layer is module:
                ends[module] = max(count, ends.get(module, 0))
                reaches[:, number] = output[:, :, row, column].isnan().any(dim=1).cpu().numpy()
        if count == stop:
            raise _Enough

    with suppress(_Enough):
        observe(net, trials, see)
    return reaches


class _Enough(BaseException):
    """Ends a forward pass once the needed layers have run."""
