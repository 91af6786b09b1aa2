"""A guess at a question of a lesson, made before the answer was opened, with its score."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..edits.packed_masks import unpack
from ..errors import CamvizError

Kind = Literal["region", "choice", "number", "sentence"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST = 1000  # characters of a question or a sentence
LONGEST_TIME = 86_400.0  # seconds


@dataclass(frozen=True)
class Guess:
    """One guess.

    `lesson`: its number. `question`: its text. `value`: for a region, the mask of 56 x 56 cells as the text that
    `camviz.edits.pack` returns; for a choice, the option; for a number, the number; for a sentence, the text.
    `correct`: for a choice or a number. `score`: for a choice or a number, 0 or 1; for a region, the share of the
    heatmap inside minus the share of the image's area, -1 to 1. Both are None if there is no right answer. `seconds`:
    from the question to the guess. `with_map`: whether the heatmap was shown. Raises CamvizError for other values.
    """

    lesson: int
    question: str
    kind: Kind
    value: str | float
    correct: bool | None
    score: float | None
    seconds: float
    with_map: bool

    def __post_init__(self) -> None:
        """Check the fields, which may come from an untrusted file."""
        _check("lesson", self.lesson, _is_number(self.lesson, 0, 9999) and isinstance(self.lesson, int))
        _check("question", self.question, _is_text(self.question))
        _check("kind", self.kind, isinstance(self.kind, str) and self.kind in KINDS)
        if self.kind == "region":
            unpack(self.value)  # type: ignore[arg-type]
        elif self.kind == "number":
            _check("value", self.value, _is_number(self.value, -1e12, 1e12))
        else:
            _check("value", self.value, _is_text(self.value) and self.value != "")
        _check("correct", self.correct, self.correct is None or isinstance(self.correct, bool))
        _check("score", self.score, self.score is None or _is_number(self.score, -1, 1))
        _check("seconds", self.seconds, _is_number(self.seconds, 0, LONGEST_TIME))
        _check("with_map", self.with_map, isinstance(self.with_map, bool))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as an object that `json.dumps` writes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> "Guess":
        """Return the guess of an object that `to_json` returned. Raises CamvizError for any other."""
        names = [field.name for field in fields(cls)]
        if not isinstance(data, Mapping) or set(data) != set(names):
            raise CamvizError(
                "a guess is an object with {names}; got {given}", names=", ".join(names), given=repr(data)[:60]
            )
        return cls(**data)


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high  # False for NaN


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and all(one.isprintable() or one == "\n" for one in value)


def _check(name: str, value: Any, is_valid: bool) -> None:
    if not is_valid:
        raise CamvizError(
            "{name} of a guess cannot be {given}: numbers must be finite, texts have at most {most} characters",
            name=name,
            given=repr(value)[:60],
            most=LONGEST,
        )
