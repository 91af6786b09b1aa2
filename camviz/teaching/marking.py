"""Mark a guess: whether it is right, and its score."""

import unicodedata
from dataclasses import dataclass

from ..edits.edit import Edit
from ..edits.masks import RGB, Mask, enlarged
from ..edits.packed_masks import unpack
from ..errors import CamvizError
from ..explanation.explanation import Explanation
from ..messages import Message
from .claims import strength
from .guesses import LONGEST, Guess
from .prompts import Prompt

NO_REGION = Message("mark a region of the image first")


@dataclass(frozen=True)
class Overlap:
    """The overlap of a guessed region with a heatmap: the share of the heatmap's mass, and of the image's area."""

    mass: float
    area: float

    @property
    def score(self) -> float:
        """The mass minus the area: 0 for a region that is no better than a random one, at most 1."""
        return self.mass - self.area


def overlap(region: Mask, e: Explanation) -> Overlap | None:
    """Return the overlap of a region (56, 56) with a heatmap; None if the heatmap is empty."""
    values = strength(e)
    inside = enlarged(region, (values.shape[0], values.shape[1]))
    total = float(values.sum())
    return Overlap(float(values[inside].sum()) / total, float(inside.mean())) if total > 0 else None


def alone(region: str, view: RGB) -> RGB:
    """Return a view (H, W, 3) in which everything outside of a region, a packed mask, is blurred."""
    return Edit(region, "blur", keep=True).apply(view, lambda _: view)


def mark(prompt: Prompt, value: str | float, e: Explanation | None = None) -> tuple[bool | None, float | None]:
    """Return `correct` and `score` of a Guess for a value. `e`: the explanation of a region's view.

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
    """Return at most `most` characters of a text, without control characters except line breaks."""
    kept = "".join(one if one.isprintable() or one == "\n" else " " for one in unicodedata.normalize("NFC", text))
    return kept.strip()[:most].strip()
