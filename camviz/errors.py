"""CamvizError and its subclasses, which invalid input raises, and suggestions of the nearest valid name."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from . import documentation
from .messages import Message, Value

_NO_MEMORY = re.compile("can't allocate memory|out of memory", re.IGNORECASE)  # in torch's messages on CPU and GPU


class CamvizError(ValueError):
    """Invalid input. The message says what was given, what is accepted, and what to do next.

    `CamvizError(template, **values)`: `message` keeps both, and `str()` is the formatted sentence. `code` is the same
    in all versions; docs/reference/errors.md explains each code, and a traceback ends with the address of this page.
    """

    code: ClassVar[str] = "argument-invalid"

    def __init__(self, template: str, /, **values: Value) -> None:
        self.message = Message(template, **values)
        ValueError.__init__(self, self.message)  # super() could call a second base class, with other arguments
        self.add_note(self.help)

    @property
    def help(self) -> str:
        """Return the code, and the address of its explanation."""
        return f"Error code {self.code}: {documentation.error_address(self.code)}"


class UnknownNameError(CamvizError):
    """There is no layer, class, method, setting or file type of this name."""

    code = "name-unknown"


class UnknownKeyError(UnknownNameError, KeyError):
    """There is no entry with this key in a table."""

    def __str__(self) -> str:
        return str(self.message)


class ImageError(CamvizError):
    """The image cannot be read or used."""

    code = "image-unreadable"


class FilesError(CamvizError):
    """A folder, an archive or a file in it cannot be used."""

    code = "files-unreadable"


class LayerError(CamvizError):
    """The layer, or its channel, cannot be used."""

    code = "layer-unsuitable"


class MethodError(CamvizError):
    """The method cannot explain this network or this score."""

    code = "method-unsuitable"


class ScoreError(CamvizError):
    """The target is not a score."""

    code = "score-invalid"


class ModelError(CamvizError):
    """The network cannot be loaded or run as it is."""

    code = "network-unsuitable"


class OutputError(CamvizError):
    """The network's output cannot be read as class scores."""

    code = "output-unclear"


class NotFiniteError(CamvizError):
    """There is a NaN or an infinite value in the computation."""

    code = "values-not-finite"


class GradientError(CamvizError):
    """The gradient of the score does not reach the layer or the image."""

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
    """The class names cannot be read, or do not fit this network."""

    code = "class-names-invalid"


class PreprocessingError(CamvizError):
    """The preprocessing function, the input size, the channels, the mean or the deviation cannot be used."""

    code = "preprocessing-invalid"


class RecipeError(CamvizError):
    """The recipe cannot be read, or its image or network is missing or differs."""

    code = "recipe-invalid"


class MetricError(CamvizError):
    """The metric is not defined for this map."""

    code = "metric-undefined"


class ServerError(CamvizError):
    """The dashboard cannot be started."""

    code = "server-not-started"


class RoomError(CamvizError):
    """The room refuses the request."""

    code = "room-refused"


class RoomEndedError(RoomError):
    """The room has ended, or the secret of the person is unknown."""


class ConfigurationError(CamvizError):
    """The configuration file of the operator is invalid."""

    code = "configuration-invalid"


class ExtensionError(CamvizError):
    """A method, a metric or a lesson of an extension is invalid."""

    code = "extension-invalid"


def message_of(error: object) -> str:
    """Return the message of an error: the Message of a CamvizError, the text of any other error."""
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
            "this needs more memory than is available: use a smaller network, a smaller image or fewer samples"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is too little memory."""
    says_so = isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))
    return isinstance(error, MemoryError) or bool(says_so)


def choice(value: object, choices: Iterable[str], kind: str) -> str:
    """Return `value` if it is one of `choices`. Raises CamvizError, with the nearest choice, otherwise."""
    known = tuple(choices)
    for one in known:
        if isinstance(value, str) and value == one:
            return one
    raise unknown(kind, str(value)[:60], known, ", ".join(known))


def unknown(kind: str, name: str, names: Iterable[str], where: str) -> CamvizError:
    """Return the error for a name that is not among `names`, with the nearest one.

    `kind` and `where` are Messages if they can be translated.

    >>> str(unknown("layer", "layer9", ["layer3", "layer4"], "resnet50"))
    "layer 'layer9' is not in resnet50; did you mean 'layer4'?"
    """
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), sorted(lowered, reverse=True), n=1, cutoff=0.5)
    hint = Message("; did you mean '{name}'?", name=lowered[close[0]]) if close else ""
    return UnknownNameError("{kind} '{name}' is not in {where}{hint}", kind=kind, name=name, where=where, hint=hint)
