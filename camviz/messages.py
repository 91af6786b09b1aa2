"""Messages: sentences that keep their template and their values, so that they can be translated later."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# A translation translates a value that is a Message, and leaves any other value unchanged.
Value = str | Path | int | float | bool | None | tuple[Any, ...]


class Message(str):
    """An English text that keeps the `template` and the `values` that it was formatted from.

    It is the text `template.format(**values)`; without values it is the unformatted template. Values may be Messages.

    >>> message = Message("{count} of {total} images", count=3, total=4)
    >>> message, message.template, message.values["total"]
    ('3 of 4 images', '{count} of {total} images', 4)
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> "Message":
        """Return the Message; an existing Message is returned unchanged if there are no values."""
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


COMMA, SEMICOLON = Message("{first}, {rest}"), Message("{first}; {rest}")


def join(parts: Sequence[str], joint: Message = COMMA) -> str:
    """Return the parts joined by a template with `first` and `rest`, such as COMMA or SEMICOLON.

    >>> join(["a", "b", "c"], SEMICOLON)
    'a; b; c'
    """
    first, *rest = parts
    return Message(joint, first=first, rest=join(rest, joint)) if rest else first


def listed(names: Sequence[str]) -> str:
    """Return names as an enumeration in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *names, last = names
    return Message("{names} and {last}", names=join(names), last=last) if names else last
