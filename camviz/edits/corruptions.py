"""Corruptions of a view with a strength of 0 to 1, and the answers of a model at each strength."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..errors import CamvizError, choice
from ..evaluation.perturbation_curve import blur
from ..images import ImageSource
from ..images.arrays import check_view
from ..messages import Message
from ..models import Model, Prediction
from ..models.geometry import Fit
from ..runtime.progress import Progress, check_progress
from ..runtime.rng import Rng
from .answers import answers_of, predictions_of
from .fills import rounded
from .masks import RGB

Matrix = NDArray[np.float64]  # (2, 2)
Corruption = Literal["blur", "noise", "jpeg", "brightness", "rotation", "zoom", "stripes"]

BLUR = 1 / 12  # standard deviation at strength 1, of the shorter side
NOISE = 0.5  # standard deviation at strength 1, of the range from black to white
BRIGHTNESS = 0.75  # added at strength 1, of the range from black to white
ANGLE = 180.0  # degrees at strength 1, counterclockwise
ZOOM = 4.0  # magnification of the center at strength 1
STRIPES, COVERED = 8, 0.9  # number of vertical stripes, and the share that they cover at strength 1
GRAY = 128
STRENGTHS = tuple(step / 10 for step in range(11))


def corrupt(view: Any, kind: Corruption, strength: float, *, seed: int = 0) -> RGB:
    """Return a corrupted copy of a view (H, W, 3); strength 0 is the view itself, 1 the strongest.

    "blur": a Gaussian with a standard deviation of up to 1/12 of the shorter side. "noise": normal noise with a
    standard deviation of up to half of the range; `seed` gives the same noise at every strength. "jpeg": quality 100
    down to 1. "brightness": up to 3/4 of the range added. "rotation": up to 180 degrees counterclockwise, mirrored
    beyond the border. "zoom": the center up to four times as large. "stripes": eight gray vertical stripes that cover
    up to 90%. Raises CamvizError on wrong input.
    """
    pixels, name = check_view(view), choice(kind, get_args(Corruption), Message("corruption"))
    number = _check_strength(strength)
    return CORRUPTIONS[name](pixels, number, seed) if number else pixels.copy()


@dataclass(frozen=True, eq=False)
class CorruptionCurve:
    """The answers of a model at each strength of a corruption.

    `views`: one for each strength. `answers`: (strengths, K), the probabilities of all classes, or the outputs of a
    network without probabilities. `predictions`: the best classes at each strength, best first.
    """

    kind: Corruption
    strengths: tuple[float, ...]
    views: tuple[RGB, ...]
    answers: NDArray[np.float32]
    predictions: tuple[tuple[Prediction, ...], ...]

    def of_class(self, index: int) -> tuple[float, ...]:
        """Return the answer of one class at each strength."""
        return tuple(self.answers[:, index].tolist())

    @property
    def breaks_at(self) -> float | None:
        """The first strength at which another class than at the first strength is predicted; None if none does."""
        first = self.predictions[0][0].index
        pairs = zip(self.strengths, self.predictions, strict=True)
        return next((strength for strength, best in pairs if best[0].index != first), None)


def corruption_curve(
    model: Model,
    image: ImageSource,
    kind: Corruption,
    strengths: Sequence[float] = STRENGTHS,
    *,
    fit: Fit = "crop",
    seed: int = 0,
    progress: Progress | None = None,
) -> CorruptionCurve:
    """Return the answers of a model to an image under a corruption of several strengths, in one batch.

    More than 16 strengths are several batches, with `progress(done, total)` after each. Raises CamvizError.
    """
    check_progress(progress)
    view = model.view(image, fit)
    views = tuple(corrupt(view, kind, strength, seed=seed) for strength in check_strengths(strengths))
    answers = answers_of(model, views, progress)
    predictions = tuple(predictions_of(model, row) for row in answers)
    return CorruptionCurve(kind, tuple(map(float, strengths)), views, answers, predictions)


def moved(values: Any, kind: Corruption, strength: float) -> NDArray[np.float32]:
    """Return a map (H, W) rotated or zoomed as a corruption does with the view; a copy for any other corruption.

    A heatmap of a rotated view is compared with the rotated heatmap, not with the original one.
    """
    plane, name = np.asarray(values, np.float32), choice(kind, get_args(Corruption), Message("corruption"))
    if plane.ndim != 2 or 0 in plane.shape:
        raise CamvizError("a map has shape (H, W); got {shape}", shape=plane.shape)
    number = _check_strength(strength)
    if name not in PLACES or not number:
        return plane.copy()
    planes = torch.from_numpy(np.ascontiguousarray(plane))[None, None]
    return np.asarray(_transformed(planes, PLACES[name](number))[0, 0].numpy())


def check_strengths(strengths: Any) -> Sequence[float]:
    """Return `strengths`. Raises CamvizError if it is no list, or empty."""
    if isinstance(strengths, str) or not len(strengths):
        raise CamvizError(
            "strengths must be a list of at least one number of 0 to 1; got {given}", given=repr(strengths)[:60]
        )
    return strengths  # type: ignore[no-any-return]


def _check_strength(strength: Any) -> float:
    try:
        number = float(strength)
    except (TypeError, ValueError):
        number = np.nan
    if isinstance(strength, bool | str) or not 0 <= number <= 1:
        raise CamvizError(
            "the strength of a corruption must be a number of 0 to 1; got {given}", given=repr(strength)[:60]
        )
    return number


def _blurred(pixels: RGB, strength: float, seed: int) -> RGB:
    return _image(blur(_planes(pixels), strength * BLUR * min(pixels.shape[:2])))


def _noisy(pixels: RGB, strength: float, seed: int) -> RGB:
    drawn = Rng(seed).normal(*pixels.shape).numpy()
    return rounded(pixels + 255 * NOISE * strength * drawn)


def _compressed(pixels: RGB, strength: float, seed: int) -> RGB:
    return jpeg(pixels, round(100 - 99 * strength))


def jpeg(pixels: RGB, quality: int) -> RGB:
    """Return an image (H, W, 3) after JPEG compression at a quality of 1 to 100."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file, formats=("JPEG",)).convert("RGB"))


def _brightened(pixels: RGB, strength: float, seed: int) -> RGB:
    return rounded(pixels + 255.0 * BRIGHTNESS * strength)


def _rotated(pixels: RGB, strength: float, seed: int) -> RGB:
    return _image(_transformed(_planes(pixels), _rotation(strength)))


def _rotation(strength: float) -> Matrix:
    angle = np.deg2rad(ANGLE * strength)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _zoomed(pixels: RGB, strength: float, seed: int) -> RGB:
    return _image(_transformed(_planes(pixels), _zoom(strength)))


def _zoom(strength: float) -> Matrix:
    return np.eye(2) / (1 + (ZOOM - 1) * strength)


def _striped(pixels: RGB, strength: float, seed: int) -> RGB:
    width = pixels.shape[1]
    phase = (np.arange(width) + 0.5) * STRIPES / width % 1  # place within a period; the stripe is in its middle
    result = pixels.copy()
    result[:, np.abs(phase - 0.5) < COVERED * strength / 2] = GRAY
    return result


def _transformed(planes: Tensor, matrix: Matrix) -> Tensor:
    """Return images (1, C, H, W) whose pixel at p shows the place matrix @ p, both (x, y) from the center.

    Bilinear, and mirrored beyond the border.
    """
    height, width = planes.shape[2:]
    unit = np.array([[1, height / width], [width / height, 1]])  # grid_sample measures each side as -1 to 1
    theta = torch.tensor(np.hstack([matrix * unit, np.zeros((2, 1))]), dtype=torch.float32, device="cpu")[None]
    grid = affine_grid(theta, list(planes.shape), align_corners=False)
    return grid_sample(planes, grid, padding_mode="reflection", align_corners=False)


def _planes(pixels: RGB) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]


def _image(planes: Tensor) -> RGB:
    return rounded(planes[0].permute(1, 2, 0).numpy())


CORRUPTIONS: dict[str, Callable[[RGB, float, int], RGB]] = {
    "blur": _blurred,
    "noise": _noisy,
    "jpeg": _compressed,
    "brightness": _brightened,
    "rotation": _rotated,
    "zoom": _zoomed,
    "stripes": _striped,
}
# For corruptions that move the image: the matrix that maps a place of the changed view to its origin.
PLACES: dict[str, Callable[[float], Matrix]] = {"rotation": _rotation, "zoom": _zoom}
