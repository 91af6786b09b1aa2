"""What a network's own code, or a score, raises becomes a CamvizError that says where it happened."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ...errors import CamvizError, is_out_of_memory
from ...messages import Message
from ...runtime.progress import raised_by_progress

FAILS = Message("the {what} fails for an input of shape {shape}: {reason}")


class StartAgainError(RuntimeError):
    """A pass has found out how its network must be run: the pass has to start again."""


class NetworkError(CamvizError):
    """An error of code that is not CamViz's. It is of the original type too, and `__cause__` is the original."""

    code = "network-fails"

    def __str__(self) -> str:
        return str(self.message)


@contextmanager
def network_errors(what: str, x: Tensor) -> Iterator[None]:
    """Raise NetworkError for what `what` raises inside for an input x; what a progress callback raises passes."""
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
    """Return a NetworkError that is of another type too, so that callers who expect that type catch it."""
    try:
        both: type[NetworkError] = type("NetworkError", (NetworkError, kind), {})
        return both(sentence)
    except TypeError:  # a type that is laid out in another way, or made of other arguments
        return NetworkError(sentence)


def reason_of(error: Exception) -> str:
    """Return what an error says, in one line of at most 200 characters, or its kind if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
