"""The prompts of a lesson, before its answer is opened: for a region, a choice, a number or a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ExtensionError, choice
from .claims import Claim, read_claim
from .guesses import KINDS, Kind

FIELDS = {
    "region": {"view"},
    "choice": {"options", "right"},
    "number": {"expected", "tolerance", "measure", "of", "box", "word"},
    "sentence": set[str](),
}
CLAIM = ("measure", "of", "box", "word")


@dataclass(frozen=True)
class Prompt:
    """One [[guess]] of a lesson.

    `key` is the English text, which identifies the prompt in all languages; `keys` are the English `options`.
    `right`: the number of the right option, from 1; 0 if there is none. `view`: the number of the heatmap with which a
    region is compared. `claim`: the network gives the expected number.
    """

    kind: Kind
    text: str
    key: str
    options: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    right: int = 0
    expected: float = 0.0
    tolerance: float = 0.0
    view: int = 1
    claim: Claim | None = None

    def option(self, key: str) -> str:
        """Return an option in the language of the lesson by its English text."""
        return dict(zip(self.keys, self.options, strict=True)).get(key, key)


def read_prompt(file: str, data: Any, heatmaps: int, language: str) -> Prompt:
    """Return the prompt of a [[guess]] table. `heatmaps`: their number in the lesson. Raises CamvizError."""
    if not isinstance(data, Mapping) or not isinstance(data.get("prompt"), str) or not data["prompt"].strip():
        raise ExtensionError('{file}: a [[guess]] needs kind and prompt = "..."', file=file)
    kind: Kind = choice(data.get("kind"), KINDS, "kind")  # type: ignore[assignment]
    known = {"kind", "prompt", *FIELDS[kind]}
    for name in data:
        base = name.rpartition("_")[0] if len(name.rpartition("_")[2]) == 2 else name
        if name not in known and base not in known & {"prompt", "options"}:
            raise ExtensionError(
                "{file}: a [[guess]] of the kind {kind} has no {name}; it has {known}",
                file=file,
                kind=kind,
                name=name,
                known=", ".join(sorted(known)),
            )
    text = str(data.get(f"prompt_{language}", data["prompt"]))
    prompt, key = (" ".join(one.split()) for one in (text, data["prompt"]))
    if kind == "choice":
        return _choice(file, data, prompt, key, language)
    if kind == "number":
        return _number(file, data, prompt, key)
    view = data.get("view", 1)
    if kind == "region" and (isinstance(view, bool) or view not in range(1, heatmaps + 1)):
        raise ExtensionError(
            "{file}: a region is guessed in one of the {count} heatmaps; there is no view {view}",
            file=file,
            count=heatmaps,
            view=repr(view)[:60],
        )
    return Prompt(kind, prompt, key, view=view)


def _choice(file: str, data: Mapping[str, Any], text: str, key: str, language: str) -> Prompt:
    keys, right = data.get("options"), data.get("right", 0)
    valid = isinstance(keys, list) and 2 <= len(set(map(str, keys))) == len(keys) <= 6
    if not valid or isinstance(right, bool) or right not in range(len(keys or ()) + 1):
        raise ExtensionError(
            "{file}: a choice needs options, 2 to 6 different ones, and right, the number of the right one or 0",
            file=file,
        )
    options = data.get(f"options_{language}", keys)
    if not isinstance(options, list) or len(options) != len(keys or ()):
        raise ExtensionError(
            "{file}: options_{language} needs as many entries as options", file=file, language=language
        )
    return Prompt("choice", text, key, tuple(map(str, options)), tuple(map(str, keys or ())), right)


def _number(file: str, data: Mapping[str, Any], text: str, key: str) -> Prompt:
    expected, tolerance = data.get("expected"), data.get("tolerance")
    for one in (expected, tolerance):
        if isinstance(one, bool) or not isinstance(one, int | float) or not abs(one) < 1e12:
            raise ExtensionError("{file}: a number needs expected and tolerance, both numbers", file=file)
    assert isinstance(expected, int | float) and isinstance(tolerance, int | float)
    claim = None
    if "measure" in data:
        most = tolerance * (1 + 1e-9) + 1e-9  # a value at the limit is right too
        limits = {"over": expected - most, "under": expected + most}
        claim = read_claim(file, {"says": key, **limits, **{name: data[name] for name in CLAIM if name in data}})
    return Prompt("number", text, key, expected=float(expected), tolerance=float(tolerance), claim=claim)
