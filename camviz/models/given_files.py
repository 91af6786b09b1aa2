"""Check and read files that a caller names."""

from os.path import isfile
from pathlib import Path

from ..errors import FilesError


def is_file(path: Path) -> bool:
    """Return whether there is a file at this path; False for a path that the system does not accept."""
    return isfile(path)  # noqa: PTH113 - Path.is_file raises OSError for a path that is too long


def check_readable(path: Path) -> None:
    """Raise CamvizError for a file that cannot be opened and read."""
    bytes_of(path, 1)


def bytes_of(path: Path, count: int = -1) -> bytes:
    """Return the first `count` bytes of a file, or all of them. Raises CamvizError."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise FilesError(
            "cannot read the file {file}: {reason}", file=path.name, reason=str(error.strerror or error)
        ) from error
