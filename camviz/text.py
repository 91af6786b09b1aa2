"""Short texts: file names, articles, percentages."""

import re
import unicodedata

from .messages import Message


def file_name(*parts: str) -> str:
    """A safe file name without ending: the parts joined by '-', of a-z, 0-9, '_' and '-' only, 1 to 64 characters.

    >>> file_name("Café au lait", "grad_cam", "blocks.6")
    'cafe-au-lait-grad_cam-blocks-6'
    """
    slugs = [slugify(part) for part in parts]
    slugs = [slug for slug in slugs if slug][:32] or ["camviz"]
    while len("-".join(slugs)) > 64:
        # The longest part loses most, so that a long picture name does not push out the method and the layer.
        longest = max(range(len(slugs)), key=lambda place: len(slugs[place]))
        slugs[longest] = slugs[longest][:-1]
    return "-".join(slugs)


def slugify(text: str) -> str:
    """Return the text in lower case with everything but a-z, 0-9 and "_" replaced by "-"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")


def percent(probability: float) -> str:
    """A probability in words that never claim certainty: '95.3 %', 'under 0.1 %', 'over 99.9 %'."""
    if probability < 0.001:
        return Message("under 0.1 %")
    return Message("over 99.9 %") if probability > 0.999 else f"{probability:.1%}".replace("%", " %")
