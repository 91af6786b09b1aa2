"""Errors of a network's own code, or of a score, as CamvizError that names the place."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ...errors import CamvizError, is_out_of_memory
from ...messages import Message
from ...runtime.progress import raised_by_progress

FAILS = Message("the {what} fails for an input of shape {shape}: {reason}")


class StartAgainError(RuntimeError):
    """A pass has found a new fact about how its network must be run, and must start again."""


class NetworkError(CamvizError):
    """An error of the network's or the user's code. It is also of the original type; `__cause__` is the original."""

    code = "network-fails"

    def __str__(self) -> str:
        return str(self.message)


@contextmanager
def network_errors(what: str, x: Tensor) -> Iterator[None]:
    """Turn exceptions inside into NetworkError about `what` for an input x, except those of a progress callback."""
    try:
        yield
    except (CamvizError, StartAgainError):
        raise
    except Exception as error:
        if raised_by_progress(error) or is_out_of_memory(error):
            raise
        sentence = Message(
            FAILS,
            what=what,
            shape=tuple(x.shape),
            reason=reason_of(error),
        )
        raise _also(type(error), sentence) from error


def _also(kind: type[Exception], sentence: Message) -> NetworkError:
    """Return a NetworkError that is also of another type, so that `except` clauses for this type catch it."""
    try:
        both: type[NetworkError] = type("NetworkError", (NetworkError, kind), {})
        return both(sentence)
    except TypeError:  # the memory layout or the constructor of the type is incompatible
        return NetworkError(sentence)


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, at most 200 characters, or its type if there is no message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
