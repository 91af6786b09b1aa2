"""Escaping of text for markdown."""

import re

_ANYWHERE = re.compile(r"[\\`*_\[\]<>~$&|]|:(?=\S)")  # a colon before a letter begins an icon or a link
# Addresses become links even where their characters are escaped; an invisible character (a word joiner) prevents it.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
JOINER = "\u2060"
_FIRST = re.compile(r"^([#+=-]|\d+[.)])(?=\s|[#+=-]|$)")  # a heading, a list, a line


def escaped(text: str) -> str:
    """Return a visitor's text escaped for markdown, on one line: no links, images, formulas or icons."""
    text = _ANYWHERE.sub(r"\\\g<0>", _ADDRESS.sub(JOINER, " ".join(text.split())))
    return _FIRST.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text)
