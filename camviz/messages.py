"""A sentence together with its template and its values, so that it can be translated after it was composed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# A translation shows a Message in its own language, and all else as it is.
Value = str | Path | int | float | bool | None | tuple[Any, ...]


class Message(str):
    """An English text that keeps the `template` and the `values` that it was formatted from.

    It is the text `template.format(**values)`; without values it is the template as it stands. Values may be Messages.

    >>> said = Message("{count} of {total} images", count=3, total=4)
    >>> said, said.template, said.values["total"]
    ('3 of 4 images', '{count} of {total} images', 4)
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> "Message":
        """Return the text; a Message without further values as it is."""
        if isinstance(template, cls) and not values:
            return template
        self = super().__new__(cls, template.format(**values) if values else template)
        object.__setattr__(self, "template", str(template))
        object.__setattr__(self, "values", values)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Message cannot be changed: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.template, self.values)


def _restored(template: str, values: dict[str, Value]) -> Message:
    return Message(template, **values)


def join(parts: Sequence[str], joint: str = ", ") -> str:
    """Return the parts in a row with `joint` between them; a translation has a joint of its own.

    >>> join(["a", "b", "c"], "; ")
    'a; b; c'
    """
    first, *rest = parts
    return Message("{first}" + joint + "{rest}", first=first, rest=join(rest, joint)) if rest else first


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *names, last = names
    return Message("{names} and {last}", names=join(names), last=last) if names else last
