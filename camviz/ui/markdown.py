"""Text in markdown."""

import re


def escaped(text: str) -> str:
    """Text that markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\\\1", text)
