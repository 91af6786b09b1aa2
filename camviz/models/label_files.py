"""Class names in text files that are no JSON: one per line, with an index, a Python literal, a table, JSON lines."""

import ast
import csv
import json
import re
from typing import Any

from ..errors import ClassNamesError

_INDEXED = re.compile(r"""\s*["']?(\d{1,9})["']?\s*[:=]\s*["']?(.*?)["']?,?\s*""")
_WORDNET = re.compile(r"(n\d{8})[\s,]+(\S.*)")
_HEADS = {"index", "idx", "id", "class", "class_id", "class_index", "label_id", "number"}
_NAMES = ("name", "class_name", "label", "class", "category", "title", "display_name")


def decoded(content: bytes, where: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark. Raises CamvizError."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ClassNamesError("{where}: the file is no text in UTF-8: save it in this encoding", where=where) from error


def literal(text: str) -> Any:
    """Return a dictionary or list written in Python; None if the text is none. No code is run."""
    if text.count("{") + text.count("[") + text.count("(") + text.count("-") > 50_000:
        return None
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    if isinstance(value, dict) and len(value) < len(re.findall(r"(?m)^[\s{]*\d+\s*:", text)):
        return None  # an index occurs twice
    return value if isinstance(value, dict | list | tuple) else None


def lines_of(text: str, where: str) -> Any:
    """Return the names of a text file by line, or {index: name} if the lines have indices. Raises CamvizError."""
    lines = [line.strip() for line in text.strip().splitlines()]
    if "" in lines:
        raise ClassNamesError(
            "{where}: line {line} is empty, so the names after it would be shifted: remove it, or name the class",
            where=where,
            line=lines.index("") + 1,
        )
    if lines and re.fullmatch(r"(names|classes|labels|id2label)\s*:", lines[0]):
        lines = [re.sub(r"^-\s+", "", line) for line in lines[1:]]
    indexed = [_INDEXED.fullmatch(line) for line in lines]
    if lines and all(indexed):
        return _once([(match[1], match[2]) for match in indexed if match], where)
    words = [_WORDNET.fullmatch(line) for line in lines]
    if lines and all(words):
        return [match[2] for match in words if match]
    return _table(lines, where) or lines


def json_lines(text: str) -> list[Any] | None:
    """Return the values of a file with one JSON value per line; None for any other file."""
    try:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None
    return values if len(values) > 1 else None


def _table(lines: list[str], where: str) -> Any:
    """Return the names of a table with a column of names and perhaps one of indices; None if the lines are no table."""
    for delimiter in ("\t", ";", ",", " "):
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        if delimiter == " ":
            rows = [line.split(maxsplit=1) for line in lines]
        width = len(rows[0]) if rows else 0
        if width < 2 or any(len(row) != width for row in rows):
            continue
        head = [cell.lower() for cell in rows[0]]
        headed = any(cell in _HEADS or cell in _NAMES for cell in head) and not any(map(str.isdigit, head))
        body = rows[1:] if headed and delimiter != " " else rows
        columns = [[row[place] for row in body] for place in range(width)]
        numbered = [
            place
            for place, column in enumerate(columns)
            if body and sorted(map(int, column) if all(map(_is_number, column)) else []) == list(range(len(column)))
        ]
        if numbered:
            rest = [place for place in range(width) if place != numbered[0]]
            named = [head.index(name) for name in _NAMES if headed and name in head]
            names = next((place for place in named if place in rest), rest[-1])
            return _once([(row[numbered[0]], row[names]) for row in body], where)
        if headed and delimiter != " ":
            names = next((head.index(name) for name in _NAMES if name in head), width - 1)
            return columns[names]
        if body and all(map(_is_number, columns[0])):
            return _once([(row[0], row[-1]) for row in body], where)
    return None


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 10


def _once(pairs: list[tuple[str, str]], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, name in pairs:
        if index in found:
            raise ClassNamesError(
                "{where}: class {index} occurs twice, as {first} and {name}",
                where=where,
                index=index,
                first=repr(found[index]),
                name=repr(name),
            )
        found[index] = name
    return found


def unwrapped(content: Any, where: str) -> Any:
    """Return the class names in a model's config.json or a description of a data set, and pairs as a mapping."""
    if isinstance(content, dict):
        for key in ("id2label", "label2id", "class_to_idx", "names", "classes", "categories", "labels"):
            if isinstance(content.get(key), dict | list | tuple):
                return unwrapped(content[key], where)
    if not isinstance(content, list | tuple) or not content:
        return content
    if all(isinstance(item, dict) for item in content):
        return _records(content, where)
    if all(
        isinstance(item, list | tuple) and re.fullmatch(r"n\d{8}", str(item[0] if item else "")) for item in content
    ):
        return [item[-1] for item in content]
    pairs = [item for item in content if isinstance(item, list | tuple) and len(item) == 2]
    if len(pairs) == len(content):
        if all(_is_index(pair[0]) for pair in pairs):
            return _once([(str(index), name) for index, name in pairs], where)
        if all(_is_index(pair[1]) for pair in pairs):
            return _once([(str(index), name) for name, index in pairs], where)
    return content


def _records(content: Any, where: str) -> Any:
    names = next((key for key in _NAMES if all(isinstance(item.get(key), str) for item in content)), None)
    index = next((key for key in sorted(_HEADS) if all(_is_index(item.get(key)) for item in content)), None)
    if names is None:
        if all(len(item) == 1 for item in content):
            pairs = [next(iter(item.items())) for item in content]
            return unwrapped(pairs, where)
        return content
    if index is None:
        return [item[names] for item in content]
    numbers = [int(item[index]) for item in content]
    start = 1 if min(numbers) == 1 and max(numbers) == len(numbers) else 0  # COCO counts from 1
    return _once([(str(int(item[index]) - start), item[names]) for item in content], where)


def _is_index(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and _is_number(value))


def listed_values(given: Any, where: str) -> Any:
    """Return an iterable of names as a list, in its order. Raises CamvizError if it has no order."""
    if isinstance(given, set | frozenset):
        raise ClassNamesError(
            "{where}: a set has no order, so it does not say which name belongs to which class: give a list in the "
            "order of the classes, or {{index: name}}",
            where=where,
        )
    try:
        values = list(given.tolist() if hasattr(given, "tolist") else given)
    except (TypeError, RuntimeError) as error:
        raise ClassNamesError(
            "{where}: expected a list of names, {{index: name}} or the path of a file; got {kind}",
            where=where,
            kind=type(given).__name__,
        ) from error
    return values
