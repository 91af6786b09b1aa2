"""Short texts: file names, percentages, durations and numbers of passes."""

import math
import re
import unicodedata
from typing import Literal

from .messages import Message


def file_name(*parts: str) -> str:
    """Return a safe file name without extension: the parts joined by '-', of a-z, 0-9, '_' and '-', 1 to 64 characters.

    >>> file_name("Café au lait", "grad_cam", "blocks.6")
    'cafe-au-lait-grad_cam-blocks-6'
    """
    slugs = [slugify(part) for part in parts]
    slugs = [slug for slug in slugs if slug][:32] or ["camviz"]
    while len("-".join(slugs)) > 64:
        # The longest part is shortened, so that the method and the layer stay readable beside a long image name.
        longest = max(range(len(slugs)), key=lambda place: len(slugs[place]))
        slugs[longest] = slugs[longest][:-1]
    return "-".join(slugs)


def slugify(text: str) -> str:
    """Return the text in lower case with everything but a-z, 0-9 and "_" replaced by "-"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")


def percent(share: float, decimals: Literal[0, 1] = 1, *, exact: bool = False) -> str:
    """Return a share of 1 as a percentage, with one decimal for tables and none for sentences.

    A probability is never shown as 0% or 100%: if it would be without decimals, it has one. With `exact`, for shares
    that are counted, 0 and 1 are shown as 0% and 100%.

    >>> percent(0.9534), percent(0.9534, 0), percent(0.0004), percent(0.9996), percent(1, 0, exact=True)
    ('95.3%', '95%', '<0.1%', '>99.9%', '100%')
    >>> percent(0.004, 0), percent(0.996, 0)
    ('0.4%', '99.6%')
    """
    if exact and share in (0, 1):
        return f"{share:.0%}"
    if share < 0.001 and not (exact and share < 0):
        return "<0.1%"
    if share > 0.999 and not (exact and share > 1):
        return ">99.9%"
    text = f"{share:.{decimals}%}"
    return f"{share:.1%}" if text in ("0%", "100%") else text


def shown_answer(probability: float, value: float, unit: str = "", decimals: Literal[0, 1] = 1) -> str:
    """Return a probability as a percentage; if it is NaN, the value with its unit; "" if that is NaN too.

    >>> shown_answer(0.953, math.nan), shown_answer(math.nan, 41.3, "years"), shown_answer(math.nan, math.nan)
    ('95.3%', '41.3 years', '')
    """
    if not math.isnan(probability):
        return percent(probability, decimals)
    return "" if math.isnan(value) else f"{value:.3g} {unit}".strip()


def duration_text(seconds: float) -> str:
    """Return a duration with two significant digits in seconds, minutes or hours.

    >>> duration_text(0.153), duration_text(11.2), duration_text(75), duration_text(153), duration_text(5400)
    ('0.15 s', '11 s', '1.2 min', '2.5 min', '1.5 h')
    """
    for unit, length in (("s", 1), ("min", 60), ("h", 3600)):
        count = seconds / length if unit == "s" else max(1.0, seconds / length)
        if count < 59.5 or unit == "h":
            break
    return f"{count:.0f} {unit}" if count >= 9.95 else f"{float(f'{round(count, 2):.2g}'):g} {unit}"


def passes_text(forward: int, backward: int) -> Message:
    """Return numbers of passes in words.

    >>> passes_text(1, 1), passes_text(320, 0)
    ('1 forward pass and 1 backward pass', '320 forward passes and no backward pass')
    """
    first = Message("1 forward pass") if forward == 1 else Message("{count} forward passes", count=forward)
    second = Message("1 backward pass") if backward == 1 else Message("{count} backward passes", count=backward)
    second = second if backward else Message("no backward pass")
    return Message("{first} and {second}", first=first, second=second)
