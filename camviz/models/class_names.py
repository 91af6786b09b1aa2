"""Read class names from a file or a Python object, in all common forms."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ClassNamesError
from ..messages import Message
from .given_files import bytes_of, is_file
from .label_files import decoded, json_lines, lines_of, listed_values, literal, unwrapped

ClassNames = Iterable[str] | Mapping[Any, Any] | str | Path
THE_NAMES = Message("the class names")
LONGEST = 200  # characters of a name
LARGEST = 4 << 20  # bytes of a file


class ImageNetName(str):
    """The name of a class of ImageNet. The dashboard shows a more common name, in the language of the page."""

    __slots__ = ()


def read_class_names(given: ClassNames | bytes, where: str = THE_NAMES) -> tuple[str, ...]:
    """Return the class names in the order of their index.

    `given`: the path of a file, its content as bytes, or an object that its JSON can contain: a list of names, {index:
    name}, {index: [id, name]} as in ImageNet's class_index.json, {name: index} as in torchvision's class_to_idx, pairs,
    or a configuration with id2label. A file that is no JSON has one name per line, lines "index: name", a Python
    dictionary, or a table (CSV, TSV) with a column of indices or a header. Raises CamvizError.
    """
    if isinstance(given, str | Path):
        file = Path(given)
        if not is_file(file):
            raise ClassNamesError("there is no file of class names {file}", file=str(file)[:200])
        return read_class_names(bytes_of(file), Message("the class names in {file}", file=file.name))
    content: Any = _parsed(given, where) if isinstance(given, bytes) else given
    if isinstance(content, Mapping):
        content = dict(content)
    elif not isinstance(content, tuple):
        content = listed_values(content, where)
    content = unwrapped(content, where)
    names: list[Any] = _by_index(content, where) if isinstance(content, Mapping) else list(content)
    if not names:
        raise ClassNamesError("{where}: there are none", where=where)
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST:
            raise ClassNamesError(
                "{where}: the name of class {index} must be text of 1 to {limit} characters; got {name}",
                where=where,
                index=index,
                limit=LONGEST,
                name=_short(name),
            )
    return tuple(" ".join(name.split()) for name in names)


def _parsed(content: bytes, where: str) -> Any:
    if len(content) > LARGEST:
        raise ClassNamesError(
            "{where}: the file has {size:.1f} MB, and at most {limit} MB are accepted",
            where=where,
            size=len(content) / 1000000.0,
            limit=LARGEST >> 20,
        )
    text = decoded(content, where)
    if not text.lstrip().startswith(("[", "{", "(")):
        return lines_of(text, where)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ClassNamesError("{where}: the JSON is nested too deeply", where=where) from error
    except json.JSONDecodeError as error:
        other = literal(text) or json_lines(text)
        if other is not None:
            return other
        raise ClassNamesError(
            "{where}: line {line} is no JSON ({reason})", where=where, line=error.lineno, reason=error.msg
        ) from error
    except _Twice as error:
        raise ClassNamesError("{where}: {name} occurs twice", where=where, name=_short(str(error))) from error
    except ValueError as error:  # a number of more digits than Python reads
        raise ClassNamesError("{where}: a number in it is too long", where=where) from error


class _Twice(ValueError):
    """A key occurs twice in one JSON object; json would keep only the last one."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _by_index(given: Mapping[Any, Any], where: str) -> list[Any]:
    """Return the names of a mapping {index: name} or {name: index}, in the order of the index from 0."""
    pairs = list(given.items())
    if all(_is_index(key) for key, _ in pairs):
        numbered = [(int(key), _name(value)) for key, value in pairs]
    elif all(type(value) is int for _, value in pairs):
        numbered = [(value, key) for key, value in pairs]
    else:
        key, value = next((pair for pair in pairs if not _is_index(pair[0])), pairs[0])
        raise ClassNamesError(
            "{where}: a mapping is {{index: name}} or {{name: index}}; got {key}: {value}",
            where=where,
            key=_short(key),
            value=_short(value),
        )
    found: dict[int, Any] = {}
    for index, name in numbered:
        if index in found:
            raise ClassNamesError(
                "{where}: class {index} occurs twice, as {first} and {name}",
                where=where,
                index=index,
                first=_short(found[index]),
                name=_short(name),
            )
        found[index] = name
    for index in range(len(found)):
        if index not in found:
            raise ClassNamesError(
                "{where}: class {index} is missing; the {count} indices must count from 0 without gaps",
                where=where,
                index=index,
                count=len(found),
            )
    return [found[index] for index in range(len(found))]


def _is_index(key: Any) -> bool:
    return type(key) is int or (isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10)


def _name(value: Any) -> Any:
    """Return the name of [id, name], or the value itself."""
    return value[-1] if isinstance(value, list | tuple) and value else value


def _short(value: Any) -> str:
    try:
        written = repr(value)
    except RecursionError:  # json.loads allows deeper nesting than repr
        return Message("something nested deeply")
    return written if len(written) <= 60 else f"{written[:57]}..."
