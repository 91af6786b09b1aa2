"""The tensors of a saved checkpoint at any depth, named by their path."""

import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

SEPARATOR = "/"  # between the keys of nested dictionaries; the names inside a state dict have dots

# Classes of settings and counters that training scripts save beside the tensors. Their values are not needed.
_HARMLESS = re.compile(
    r"(numpy\.(_?core\.multiarray\.scalar|dtype|dtypes\.\w+|(bool_?|u?int\d+|float\d+))|_codecs\.encode"
    r"|argparse\.Namespace|types\.SimpleNamespace|collections\.(defaultdict|deque)|pathlib(\._local)?\.\w*Path"
    r"|datetime\.\w+|uuid\.UUID|(builtins\.)?(slice|range|frozenset|complex)|typing\.Any"
    r"|omegaconf\.[\w.]+|yacs\.config\.CfgNode|(pytorch_)?lightning(\.\w+)*\.(AttributeDict|\w+Fn))"
)
_REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed global")
_CLASSES = 32  # different harmless classes in one file
_lock = threading.Lock()


class Placeholder:
    """The replacement of a harmless object in a checkpoint: it accepts any state and keeps nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Placeholder":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


def load_content(opened: Path | IO[bytes]) -> Any:
    """Read a file of torch.save without running code: tensors, and placeholders for settings and counters.

    Raises pickle.UnpicklingError for other classes.
    """
    known: dict[str, Any] = {}
    while True:
        if not isinstance(opened, Path):
            opened.seek(0)
        try:
            with _placeholders(known), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(opened, map_location="cpu", weights_only=True)
        except Exception as error:
            wanted = _REFUSED.search(str(error))
            new = wanted and wanted[1] not in known and _HARMLESS.fullmatch(wanted[1])
            if not wanted or not new or len(known) >= _CLASSES:
                raise
            known[wanted[1]] = Placeholder


@contextmanager
def _placeholders(known: Mapping[str, Any]) -> Iterator[None]:
    """Let torch's reader replace objects of these classes by placeholders."""
    if not known:
        yield
        return
    names: list[Any] = [(part, name) for name, part in known.items()]
    names += [(part, f"builtins.{name}") for name, part in known.items() if "." not in name]
    with _lock, torch.serialization.safe_globals(names):
        yield


def tensors_in(content: Any) -> dict[str, Tensor]:
    """Return all tensors in nested dictionaries and lists by their path, whose keys are joined by slashes."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()

    def collect(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, Tensor):
            found.setdefault(SEPARATOR.join(path), value)
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen and len(path) < 8:
            seen.add(id(value))
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            for key, inner in items:
                if isinstance(inner, Tensor | Mapping | list | tuple):
                    collect(inner, (*path, str(key)))

    if isinstance(content, Mapping):
        collect(content, ())
    return found
