"""Class names in the header of a safetensors file, where `camviz.training` saves them."""

import json
from pathlib import Path
from typing import Any

from ...messages import Message
from ..class_names import read_class_names
from ..given_files import is_file

CLASS_NAMES, ARCHITECTURE = "class_names", "architecture"  # keys of the header's metadata
_LARGEST = 8 << 20  # bytes of a header


def saved_class_names(source: Any) -> tuple[str, ...] | None:
    """Return the class names in a safetensors file, given by its path or its content; None if there are none.

    Raises CamvizError for names that cannot be used.
    """
    written = _metadata(source).get(CLASS_NAMES)
    if not isinstance(written, str):
        return None
    return read_class_names(written.encode(), Message("the class names in the weights file"))


def saved_architecture(source: Any) -> str:
    """Return the name of the architecture in a safetensors file, "" if there is none."""
    written = _metadata(source).get(ARCHITECTURE)
    return written if isinstance(written, str) else ""


def _metadata(source: Any) -> dict[str, Any]:
    """Return the metadata in the header of a safetensors file, {} for any other source."""
    start = _start(source)
    size = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{" or not 0 < size <= _LARGEST or len(start) < 8 + size:
        return {}
    try:
        header = json.loads(start[8 : 8 + size])
    except (ValueError, RecursionError):
        return {}
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else {}


def _start(source: Any) -> bytes:
    if isinstance(source, bytes):
        return source[: 8 + _LARGEST]
    if not isinstance(source, str | Path) or not is_file(Path(source)):
        return b""
    with Path(source).open("rb") as file:
        head = file.read(9)
        if head[8:] != b"{":
            return b""
        return head + file.read(min(int.from_bytes(head[:8], "little"), _LARGEST) - 1)
