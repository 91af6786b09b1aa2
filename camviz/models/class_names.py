"""Class names from a file: a text file with one a line, or JSON in the forms that are in use."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CamvizError

ClassNames = Sequence[str] | Mapping[Any, Any] | str | Path
LONGEST = 200  # characters of a name
LARGEST = 4 << 20  # bytes of a file


def read_class_names(given: ClassNames | bytes, where: str = "the class names") -> tuple[str, ...]:
    """The class names in the order of their index.

    `given`: the path of a file, the content of one, or what its JSON holds: a list of names, {index: name},
    {index: [id, name]} as in ImageNet's class_index.json, or {name: index} as torchvision's class_to_idx. A file
    that is no JSON has one name a line. Raises CamvizError.
    """
    if isinstance(given, str | Path):
        file = Path(given)
        if not file.is_file():
            raise CamvizError(f"there is no file of class names {file}")
        return read_class_names(file.read_bytes(), f"the class names in {file.name}")
    content: Any = _parsed(given, where) if isinstance(given, bytes) else given
    names: list[Any] = _by_index(content, where) if isinstance(content, Mapping) else list(content)
    if not names:
        raise CamvizError(f"{where}: there are none")
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
            raise CamvizError(
                f"{where}: the name of class {index} must be text of 1 to {LONGEST} characters; got {_short(name)}"
            )
    return tuple(" ".join(name.split()) for name in names)


def _parsed(content: bytes, where: str) -> Any:
    if len(content) > LARGEST:
        raise CamvizError(f"{where}: {len(content) / 1e6:.1f} MB are too much for names ({LARGEST >> 20} MB at most)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CamvizError(f"{where}: the file is no text in UTF-8") from error
    if not text.lstrip().startswith(("[", "{")):
        lines = [line.strip() for line in text.strip().splitlines()]
        if "" in lines:
            raise CamvizError(f"{where}: line {lines.index('') + 1} is empty, so the names after it would be shifted")
        return lines
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise CamvizError(f"{where}: the JSON is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise CamvizError(f"{where}: line {error.lineno} is no JSON ({error.msg})") from error
    except _Twice as error:
        raise CamvizError(f"{where}: {_short(str(error))} is there twice") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise CamvizError(f"{where}: a number in it is too long") from error


class _Twice(ValueError):
    """A key that stands twice in one JSON object, of which json would keep the last."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _by_index(given: Mapping[Any, Any], where: str) -> list[Any]:
    """What a mapping says for each index from 0, whichever of its two sides the indices are."""
    pairs = list(given.items())
    if all(_is_index(key) for key, _ in pairs):
        numbered = [(int(key), _name(value)) for key, value in pairs]
    elif all(type(value) is int for _, value in pairs):
        numbered = [(value, key) for key, value in pairs]
    else:
        key, value = next((pair for pair in pairs if not _is_index(pair[0])), pairs[0])
        raise CamvizError(
            f"{where}: a mapping is {{index: name}} or {{name: index}}; got {_short(key)}: {_short(value)}"
        )
    found: dict[int, Any] = {}
    for index, name in numbered:
        if index in found:
            raise CamvizError(f"{where}: class {index} is there twice, {_short(found[index])} and {_short(name)}")
        found[index] = name
    for index in range(len(found)):
        if index not in found:
            raise CamvizError(f"{where}: there is no class {index} among the {len(found)}, which must count from 0")
    return [found[index] for index in range(len(found))]


def _is_index(key: Any) -> bool:
    return type(key) is int or (isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10)


def _name(value: Any) -> Any:
    """The last of [id, name], or the name itself."""
    return value[-1] if isinstance(value, list | tuple) and value else value


def _short(value: Any) -> str:
    try:
        written = repr(value)
    except RecursionError:  # JSON that could just be read
        return "something nested deeply"
    return written if len(written) <= 60 else f"{written[:57]}..."
