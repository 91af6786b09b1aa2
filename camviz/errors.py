"""The one exception that a wrong input raises, with the nearest valid name."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_NO_MEMORY = re.compile("can't allocate memory|out of memory", re.IGNORECASE)  # the processor's and the cards' words


class CamvizError(ValueError):
    """A wrong input: says what was expected and what came. Pages show it as an error box."""


@contextmanager
def in_memory() -> Iterator[None]:
    """What finds too little memory within raises CamvizError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _NO_MEMORY.search(str(error)):
            raise
        raise CamvizError(
            "this needs more memory than there is: try a smaller network, or a setting that does less at once"
        ) from error


def unknown(kind: str, name: str, names: Iterable[str], where: str) -> CamvizError:
    """The error for a name that is not among `names`, offering the nearest one.

    >>> str(unknown("layer", "layer9", ["layer3", "layer4"], "resnet50"))
    "layer 'layer9' is not in resnet50; did you mean 'layer4'?"
    """
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), sorted(lowered, reverse=True), n=1, cutoff=0.5)
    hint = f"; did you mean '{lowered[close[0]]}'?" if close else ""
    return CamvizError(f"{kind} '{name}' is not in {where}{hint}")
