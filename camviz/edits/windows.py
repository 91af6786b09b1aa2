"""Occlusion by hand: windows on a view, and by how much each one changes the answer for a class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ..errors import CamvizError
from ..images import ImageSource
from ..models import Model
from ..models.geometry import Fit
from ..runtime.progress import Progress, check_progress
from .answers import answers_of
from .fills import Fill, apply
from .masks import GRID, Mask
from .packed_masks import deflated, inflated

Window = tuple[int, int, int, int]  # left, top, right and bottom, in cells of a grid of 56 x 56

MOST = 200  # windows
LONGEST = 1100  # characters of the windows that compress worst


@dataclass(frozen=True, eq=False)
class TriedWindows:
    """Occluding windows, and the change of the answer for a class by each of them.

    `changes`: (N,), the answer with the part under each window replaced, minus the answer for the untouched view.
    """

    windows: tuple[Window, ...]
    changes: NDArray[np.float64]
    target: int

    @property
    def map(self) -> NDArray[np.float64]:
        """The mean change over the windows that covered each cell, (56, 56); NaN where none was tried."""
        total, count = np.zeros((GRID, GRID)), np.zeros((GRID, GRID))
        for window, change in zip(self.windows, self.changes, strict=True):
            covered = mask_of(window)
            total[covered] += change
            count[covered] += 1
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def try_windows(
    model: Model,
    image: ImageSource,
    windows: Iterable[Sequence[int]],
    target: str | SupportsIndex | None = None,
    *,
    fill: Fill = "blur",
    fit: Fit = "crop",
    progress: Progress | None = None,
) -> TriedWindows:
    """Return by how much the answer for a class changes if the part of an image under each window is replaced.

    `windows`: at most 200 of (left, top, right, bottom) in cells of a grid of 56 x 56 over the view, right and bottom
    excluded. `target`: an index or a label; None = the predicted class. `fill` is that of `apply`. Raises CamvizError.
    """
    check_progress(progress)
    chosen, view = check_windows(windows), model.view(image, fit)
    views = [view, *(apply(view, mask_of(window), fill) for window in chosen)]
    before, *after = answers_of(model, views, progress)
    index = int(before.argmax()) if target is None else model.class_index(target)
    changes = np.array([float(row[index]) - float(before[index]) for row in after])
    return TriedWindows(chosen, changes, index)


def mask_of(window: Window) -> Mask:
    """Return the cells of a window as a mask (56, 56)."""
    left, top, right, bottom = window
    mask = np.zeros((GRID, GRID), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def check_windows(given: Any) -> tuple[Window, ...]:
    """Return windows as tuples of whole numbers. Raises CamvizError."""
    found = []
    for one in given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]:
        sides = tuple(one) if isinstance(one, Iterable) and not isinstance(one, str | bytes) else ()
        whole = len(sides) == 4 and all(isinstance(side, int | np.integer) for side in sides)
        if not whole or not (0 <= sides[0] < sides[2] <= GRID and 0 <= sides[1] < sides[3] <= GRID):
            raise CamvizError(
                "a window is (left, top, right, bottom) in cells of 0 to {cells}, as in (10, 8, 18, 16); got {given}",
                cells=GRID,
                given=repr(one)[:60],
            )
        found.append((int(sides[0]), int(sides[1]), int(sides[2]), int(sides[3])))
    if not 1 <= len(found) <= MOST:
        raise CamvizError("1 to {most} windows can be tried; got {count}", most=MOST, count=len(found))
    return tuple(found)


def pack_windows(windows: Any) -> str:
    """Return windows as text for a link: the steps from one to the next, deflated, in the URL-safe Base64 alphabet.

    The windows of one stroke take 2 to 4 characters each. Raises CamvizError.
    """
    sides = np.array(check_windows(windows), np.int16)
    sides[:, 2:] -= sides[:, :2]  # width and height, which are equal for all windows of a stroke
    steps = np.diff(sides, axis=0, prepend=np.zeros((1, 4), np.int16))
    return deflated(steps.astype(np.int8).T.tobytes())


def unpack_windows(text: Any) -> tuple[Window, ...]:
    """Return the windows of a text that `pack_windows` wrote. Raises CamvizError for any other text."""
    data = inflated(text, LONGEST, 4 * MOST)
    if not data or len(data) % 4:
        raise _damaged(text)
    sides = np.frombuffer(data, np.int8).reshape(4, -1).T.astype(np.int64).cumsum(axis=0)
    sides[:, 2:] += sides[:, :2]
    try:
        return check_windows(sides.tolist())
    except CamvizError as error:
        raise _damaged(text) from error


def _damaged(text: Any) -> CamvizError:
    return CamvizError("'{text}' holds no windows: the link may have been cut off; try them again", text=str(text)[:30])
