"""What a network's own code raises becomes a CamvizError that says where it happened."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ..errors import CamvizError, is_out_of_memory
from ..runtime.progress import raised_by_progress


@contextmanager
def network_errors(what: str, x: Tensor) -> Iterator[None]:
    """Raise CamvizError for what a pass of the network raises inside; what a progress callback raises passes."""
    try:
        yield
    except (CamvizError, StartAgainError):
        raise
    except Exception as error:
        if raised_by_progress(error) or is_out_of_memory(error):
            raise
        raise NetworkError(
            "the {what} fails for an input of shape {shape}: {reason}",
            what=what,
            shape=tuple(x.shape),
            reason=reason_of(error),
        ) from error


class StartAgainError(RuntimeError):
    """A pass has found out how its network must be run: the pass has to start again."""


class NetworkError(CamvizError):
    """An error of the network's own code; `__cause__` is what it raised."""


def reason_of(error: Exception) -> str:
    """Return what an error says, in one line of at most 200 characters, or its kind if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
