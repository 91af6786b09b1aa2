"""The one exception that a wrong input raises, with the nearest valid name."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .messages import Message, Value

_NO_MEMORY = re.compile("can't allocate memory|out of memory", re.IGNORECASE)  # as torch says it, on CPU and on GPU


class CamvizError(ValueError):
    """A wrong input: says what is expected and what was given. Pages show it as an error box.

    `CamvizError(template, **values)`: `message` keeps both, and `str()` is the formatted sentence.
    """

    def __init__(self, template: str, /, **values: Value) -> None:
        self.message = Message(template, **values)
        ValueError.__init__(self, self.message)  # of two base classes the other may take other arguments


class UnknownKeyError(CamvizError, KeyError):
    """A key that a table does not have."""

    def __str__(self) -> str:
        return str(self.message)


def message_of(error: object) -> str:
    """Return what an error says: the Message of a CamvizError, the text of any other."""
    return error.message if isinstance(error, CamvizError) else str(error)


@contextmanager
def in_memory() -> Iterator[None]:
    """Raise CamvizError if the code inside runs out of memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise CamvizError(
            "this needs more memory than there is: try a smaller network, or a setting that does less at once"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is too little memory."""
    says_so = isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    return isinstance(error, MemoryError) or bool(says_so)


def choice(value: object, choices: Iterable[str], kind: str) -> str:
    """Return the one of `choices` that a value is. Raises CamvizError, with the nearest one, for anything else."""
    known = tuple(choices)
    for one in known:
        if isinstance(value, str) and value == one:
            return one
    raise unknown(kind, str(value)[:60], known, ", ".join(known))


def unknown(kind: str, name: str, names: Iterable[str], where: str) -> CamvizError:
    """Return the error for a name that is not among `names`, with the nearest one.

    `kind` and `where` are Messages if a translation has its own words for them.

    >>> str(unknown("layer", "layer9", ["layer3", "layer4"], "resnet50"))
    "layer 'layer9' is not in resnet50; did you mean 'layer4'?"
    """
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), sorted(lowered, reverse=True), n=1, cutoff=0.5)
    hint = Message("; did you mean '{name}'?", name=lowered[close[0]]) if close else ""
    return CamvizError("{kind} '{name}' is not in {where}{hint}", kind=kind, name=name, where=where, hint=hint)
