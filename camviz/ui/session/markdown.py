"""Text in markdown."""

import re

# Special characters anywhere in a line; a colon before a letter begins an icon or a link, "www." and "@" are links.
_ANYWHERE = re.compile(r"[\\`*_\[\]<>~$&@|]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
_FIRST = re.compile(r"^([#+=-]|\d+[.)])(?=\s|[#+=-]|$)")  # a heading, a list, a line


def escaped(text: str) -> str:
    """Return a visitor's text escaped for markdown, on one line: no links, images, formulas or icons."""
    text = _ANYWHERE.sub(r"\\\g<0>", " ".join(text.split()))
    return _FIRST.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", text)
