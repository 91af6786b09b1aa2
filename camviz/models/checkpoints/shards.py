"""Checkpoints in several files (shards) with an index of the tensors in each, as Hugging Face saves them."""

import json
import re
from pathlib import Path

from ...errors import WeightsError
from ..given_files import bytes_of, is_file

INDEX = ".index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(\d{5})-of-(?P<count>\d{5})(?P<suffix>\.safetensors|\.bin)")


def files_of(index: Path) -> dict[Path, set[str]]:
    """Return the files of an index, with the names of the tensors in each. Raises CamvizError."""
    try:
        places = json.loads(bytes_of(index))["weight_map"]
        pairs = [(str(name), str(file)) for name, file in places.items()]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            "{name} is no index of weights: expected JSON with a 'weight_map' from tensor names to files",
            name=index.name,
        ) from error
    found: dict[Path, set[str]] = {}
    for name, file in pairs:
        if Path(file).name != file:  # an index of a stranger must not read files of other folders
            raise WeightsError(
                "the index {name} names the file {file}: expected files in its own folder", name=index.name, file=file
            )
        found.setdefault(index.with_name(file), set()).add(name)
    missing = [file.name for file in found if not is_file(file)]
    if missing or not found:
        raise WeightsError(
            "the index {name} names {count} weights files, of which {missing} are missing{first}: put all of them into "
            "its folder",
            name=index.name,
            count=len(found),
            missing=len(missing),
            first=f" ({missing[0]})" if missing else "",
        )
    return found


def check_is_whole(name: str) -> None:
    """Raise CamvizError if the name is that of one of several files of a checkpoint."""
    part = _SHARD.fullmatch(Path(name).name)
    if part and int(part["count"]) > 1:
        raise WeightsError(
            "{name} is one of {count} weights files of a network: give their index, {index}, as weights",
            name=name,
            count=int(part["count"]),
            index=f"{part['stem']}{part['suffix']}{INDEX}",
        )
