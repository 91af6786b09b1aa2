"""The receptive fields of all cells of a layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import torch
from torch import Tensor, nn

from ..tape import observe
from .receptive_field import Box, find_edges, reached, unknown_edges

Edges = tuple[
    int, int, int, int
]  # lines outside of a field: top and left of the last cell, bottom and right of the first
Pair = tuple[int, int]


@dataclass(frozen=True)
class CellFields:
    """The receptive fields of all cells of a layer: (top, bottom) of each row, (left, right) of each column, in pixels.

    The field of a cell is the box of its row and its column.
    """

    rows: tuple[Pair, ...]
    columns: tuple[Pair, ...]
    size: Pair  # height and width of the image

    def box(self, row: int, column: int) -> Box:
        """Return the receptive field of one cell."""
        (top, bottom), (left, right) = self.rows[row], self.columns[column]
        return top, left, bottom, right

    @property
    def whole(self) -> bool:
        """Return whether every cell sees the whole image."""
        return {*self.rows} == {(0, self.size[0])} and {*self.columns} == {(0, self.size[1])}


def cell_fields(net: nn.Module, x: Tensor, layer: nn.Module, rows: int, columns: int) -> CellFields | None:
    """Return the receptive fields of all cells of a layer of rows x columns cells, or None if they are irregular.

    An edge moves by the layer's stride from cell to cell until it reaches the border:

        top(r) = max(0, top(rows - 1) - stride * (rows - 1 - r)),  bottom(r) = min(H, bottom(0) + stride * r)

    If the layers form a chain, the edges at the corners follow from the sizes of the windows; otherwise they are
    measured. The result is checked at three cells by NaN (see `receptive_fields`); None if it is wrong there.
    """
    height, width = int(x.shape[2]), int(x.shape[3])
    ends: dict[nn.Module, int] = {}
    last, first, middle = (rows - 1, columns - 1), (0, 0), (rows // 2, columns // 2)
    far = torch.cat([_without_pixel(x, 0, 0), _without_pixel(x, height - 1, width - 1)])
    if reached(net, far, [(layer, *last), (layer, *first)], ends).diagonal().all():
        return CellFields(((0, height),) * rows, ((0, width),) * columns, (height, width))
    near = (max(0, rows - 2), max(0, columns - 2)), (min(1, rows - 1), min(1, columns - 1))

    def fields(edges: Edges, strides: Pair) -> CellFields | None:
        found = _regular(edges, strides, (rows, columns), (height, width))
        boxes = {place: found.box(*place) for place in (*near, middle)}
        return found if _proved(net, x, layer, boxes, ends) else None

    strides = _stride(height, rows), _stride(width, columns)
    if found := fields(_edges_of_a_chain(net, x, layer, strides, last), strides):
        return found
    edges = _measured_edges(net, x, layer, last)
    return fields(edges, strides) or fields(edges, (round(height / rows), round(width / columns)))


def _regular(edges: Edges, strides: Pair, cells: Pair, size: Pair) -> CellFields:
    def along(axis: int) -> tuple[Pair, ...]:
        before, after, stride, count, length = edges[axis], edges[axis + 2], strides[axis], cells[axis], size[axis]
        return tuple(
            (max(0, before - stride * (count - 1 - cell)), length - max(0, after - stride * cell))
            for cell in range(count)
        )

    return CellFields(along(0), along(1), size)


def _stride(length: int, cells: int) -> int:
    """Return the usual stride of a layer with this number of cells: the closest power of two."""
    return int(2 ** round(log2(length / cells)))


def _edges_of_a_chain(net: nn.Module, x: Tensor, layer: nn.Module, strides: Pair, last: Pair) -> Edges:
    """Return the edges at the corners as if all windows up to the layer's last run were in one chain.

    This also holds for residual networks, because a shortcut has no larger windows than the branch beside it.
    """
    extent, offset, before = [1, 1], [0, 0], [int(length) for length in x.shape[2:]]
    found = [1, 1], [0, 0]

    def see(module: nn.Module, output: Any) -> None:
        nonlocal found
        if not isinstance(output, Tensor) or output.ndim != 4:
            return
        for axis, cells in enumerate(output.shape[2:]):
            if hasattr(module, "kernel_size"):
                size, step, reach = (_of(module, name, axis) for name in ("kernel_size", "stride", "dilation"))
                wide = (size - 1) * reach
                added = max(0, (cells - 1) * step + wide + 1 - before[axis]) if wide else 0
                pixels = max(1, _stride(int(x.shape[2 + axis]), cells) // step)
                extent[axis] += wide * pixels
                offset[axis] += (_of(module, "padding", axis) or added // 2) * pixels  # or padded by a function
            before[axis] = cells
        if module is layer:
            found = [*extent], [*offset]

    observe(net, x, see)
    extents, offsets = found
    top, left = (max(0, strides[axis] * last[axis] - offsets[axis]) for axis in range(2))
    below, right = (max(0, int(x.shape[2 + axis]) - extents[axis] + offsets[axis]) for axis in range(2))
    return top, left, below, right


def _of(module: nn.Module, name: str, axis: int) -> int:
    """Return a size of a module's window along an axis; 1 if it has none, 0 for a padding given by name."""
    value = getattr(module, name, 1)
    value = value[axis] if isinstance(value, tuple) else value
    return value if isinstance(value, int) else 0


def _measured_edges(net: nn.Module, x: Tensor, layer: nn.Module, last: Pair) -> Edges:
    bounds = unknown_edges(x, 2)
    for place, side in ((0, 2), (0, 3), (1, 0), (1, 1)):  # edges that cannot be measured at these corners
        bounds[place, side] = 0, 1
    (top, left, _, _), (_, _, below, right) = find_edges(net, x, [(layer, *last), (layer, 0, 0)], bounds).tolist()
    return top, left, below, right


def _proved(net: nn.Module, x: Tensor, layer: nn.Module, boxes: Mapping[Pair, Box], ends: dict[nn.Module, int]) -> bool:
    """Return whether places (row, column) have these receptive fields.

    NaN around the box must not reach the place, NaN at its top left pixel or its bottom right one must.
    """
    trials, expected = [], []
    for top, left, bottom, right in boxes.values():
        around = torch.full_like(x, torch.nan)
        around[:, :, top:bottom, left:right] = x[:, :, top:bottom, left:right]
        trials.append(around)
        trials += [_without_pixel(x, top, left), _without_pixel(x, bottom - 1, right - 1)]
        expected.append([False, True, True])
    seen = reached(net, torch.cat(trials), [(layer, *place) for place in boxes], ends)
    return all(seen[3 * number : 3 * number + 3, number].tolist() == one for number, one in enumerate(expected))


def _without_pixel(x: Tensor, row: int, column: int) -> Tensor:
    """Return the image with one pixel set to NaN."""
    trial = x.clone()
    trial[:, :, row, column] = torch.nan
    return trial
