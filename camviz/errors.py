"""The one exception that a wrong input raises, with the nearest valid name."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from . import documentation
from .messages import Message, Value

_NO_MEMORY = re.compile("can't allocate memory|out of memory", re.IGNORECASE)  # as torch says it, on CPU and on GPU


class CamvizError(ValueError):
    """A wrong input: says what is expected and what was given. Pages show it as an error box.

    `CamvizError(template, **values)`: `message` keeps both, and `str()` is the formatted sentence. `code` is the same
    in all versions; docs/reference/errors.md explains each code, and a traceback says where to find it.
    """

    code: ClassVar[str] = "argument-invalid"

    def __init__(self, template: str, /, **values: Value) -> None:
        self.message = Message(template, **values)
        ValueError.__init__(self, self.message)  # of two base classes the other may take other arguments
        self.add_note(self.help)

    @property
    def help(self) -> str:
        """Return the code, and where it is explained."""
        return f"Error code {self.code}: {documentation.error_address(self.code)}"


class UnknownNameError(CamvizError):
    """A layer, class, method, setting or file type of that name is not there."""

    code = "name-unknown"


class UnknownKeyError(UnknownNameError, KeyError):
    """A key that a table does not have."""

    def __str__(self) -> str:
        return str(self.message)


class ImageError(CamvizError):
    """The image cannot be read or used."""

    code = "image-unreadable"


class FilesError(CamvizError):
    """A folder, an archive or a file of it cannot be used."""

    code = "files-unreadable"


class LayerError(CamvizError):
    """The layer, or the channel of it, cannot be used."""

    code = "layer-unsuitable"


class MethodError(CamvizError):
    """The method cannot explain this network or this score."""

    code = "method-unsuitable"


class ScoreError(CamvizError):
    """What is to be explained is no score."""

    code = "score-invalid"


class ModelError(CamvizError):
    """The network cannot be loaded or run as it is."""

    code = "network-unsuitable"


class OutputError(CamvizError):
    """The network's output cannot be read as class scores."""

    code = "output-unclear"


class NotFiniteError(CamvizError):
    """A NaN or an infinite value."""

    code = "values-not-finite"


class GradientError(CamvizError):
    """No gradient of the score arrives where it is needed."""

    code = "gradient-missing"


class OutOfMemoryError(CamvizError):
    """There is too little memory."""

    code = "memory-short"


class WeightsError(CamvizError):
    """The weights file cannot be found or read."""

    code = "weights-unreadable"


class WeightsFitError(CamvizError):
    """The weights belong to another network."""

    code = "weights-do-not-fit"


class ClassNamesError(CamvizError):
    """The class names cannot be read, or are not those of this network."""

    code = "class-names-invalid"


class PreprocessingError(CamvizError):
    """The preprocessing, its size, its channels or its statistics cannot be used."""

    code = "preprocessing-invalid"


class RecipeError(CamvizError):
    """The recipe cannot be read, or what it names is not here."""

    code = "recipe-invalid"


class MetricError(CamvizError):
    """The metric is not defined for this map."""

    code = "metric-undefined"


class ServerError(CamvizError):
    """The dashboard cannot be started."""

    code = "server-not-started"


class RoomError(CamvizError):
    """A room does not allow this."""

    code = "room-refused"


class RoomEndedError(RoomError):
    """The room has ended, or the seat in it was never given."""


class ConfigurationError(CamvizError):
    """The operator's configuration file has a fault."""

    code = "configuration-invalid"


class ExtensionError(CamvizError):
    """A method, a metric or a lesson that was added has a fault."""

    code = "extension-invalid"


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
        raise OutOfMemoryError(
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
    return UnknownNameError("{kind} '{name}' is not in {where}{hint}", kind=kind, name=name, where=where, hint=hint)
