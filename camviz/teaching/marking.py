"""Whether a guess is right, and by how much."""

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..edits.edit import Edit
from ..edits.masks import RGB, Mask, enlarged
from ..edits.packed_masks import unpack
from ..errors import CamvizError
from ..explanation.explanation import Explanation
from ..messages import Message
from .guesses import LONGEST, Guess
from .prompts import Prompt

NO_REGION = Message("mark a region of the image first")


@dataclass(frozen=True)
class Overlap:
    """How a guessed region fits a heatmap: the share of the heatmap's mass inside, and of the image's area."""

    mass: float
    area: float

    @property
    def score(self) -> float:
        """The mass less the area: 0 for a region that is no better than a random one, at most 1."""
        return self.mass - self.area


def overlap(region: Mask, e: Explanation) -> Overlap | None:
    """Return how a region (56, 56) fits a heatmap; None if the heatmap is empty."""
    heat = strength(e)
    inside = enlarged(region, (heat.shape[0], heat.shape[1]))
    total = float(heat.sum())
    return Overlap(float(heat[inside].sum()) / total, float(inside.mean())) if total > 0 else None


def strength(e: Explanation) -> NDArray[np.floating]:
    """Return how strong a heatmap is at each pixel of the view, (H, W), without a sign."""
    found: NDArray[np.floating] = np.abs(e.attribution).sum(axis=0) if e.attribution.ndim == 3 else e.heatmap
    return found


def alone(region: str, view: RGB) -> RGB:
    """Return a view (H, W, 3) of which only a region, a packed mask, is left; everything else is blurred."""
    return Edit(region, "blur", keep=True).apply(view, lambda _: view)


def mark(prompt: Prompt, value: str | float, e: Explanation | None = None) -> tuple[bool | None, float | None]:
    """Return whether a value is correct, and its score, as a Guess holds them. `e`: the heatmap of a region's view.

    Raises CamvizError for a value that does not answer the prompt.
    """
    if prompt.kind == "region":
        region = unpack(value)  # type: ignore[arg-type]
        if not region.any():
            raise CamvizError(NO_REGION)
        found = overlap(region, e) if e is not None else None
        return None, found.score if found else None
    if prompt.kind == "choice":
        if value not in prompt.keys:
            raise CamvizError("choose one of the answers: {options}", options=", ".join(prompt.options))
        if not prompt.right:
            return None, None
        is_right = value == prompt.keys[prompt.right - 1]
        return is_right, float(is_right)
    if prompt.kind == "number":
        if isinstance(value, str) or not abs(value) <= 1e12:
            raise CamvizError("type a number")
        is_right = abs(value - prompt.expected) <= prompt.tolerance * (1 + 1e-9) + 1e-12
        return is_right, float(is_right)
    if not str(value).strip():
        raise CamvizError("write a sentence")
    return None, None


def guess(
    lesson: int, prompt: Prompt, value: str | float, seconds: float, with_map: bool, e: Explanation | None = None
) -> Guess:
    """Return the guess at a prompt of a lesson, marked. Raises CamvizError as `mark` does."""
    if prompt.kind == "sentence":
        value = printable(str(value))
    return Guess(lesson, prompt.key, prompt.kind, value, *mark(prompt, value, e), seconds, with_map)


def printable(text: str, most: int = LONGEST) -> str:
    """Return a text as it is kept: no control characters but line ends, at most so many characters."""
    kept = "".join(one if one.isprintable() or one == "\n" else " " for one in unicodedata.normalize("NFC", text))
    return kept.strip()[:most].strip()
