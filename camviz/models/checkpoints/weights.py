"""The source of a model's weights, and readers of weights files that run no code in them."""

import pickle
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePath
from typing import Literal
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor

from ...errors import WeightsError
from ..given_files import check_readable, is_file
from .contents import SEPARATOR, load_content, tensors_in
from .shards import INDEX, check_is_whole, files_of

_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(ImportError, MemoryError, AssertionError, struct.error, pickle.UnpicklingError, BadZipFile, SafetensorError),
)  # the exceptions of the readers for damaged or hostile files
STATE_DICTS = (".ckpt", ".bin", ".safetensors", ".tar")  # suffixes of files that hold no network, only its weights
_WRAPPERS = ("state_dict", "model", "model_state_dict")


_CUSTOM = re.compile(r"custom(?: ([0-9a-f]{8}))?")


@dataclass(frozen=True)
class Weights:
    """The source of the weights of a model, and their name.

    `kind` and `name`: "default" and the name of the pretrained weights ("IMAGENET1K_V1"); "random"; "file" and the
    path of a state dict; "program" and the path of a TorchScript or torch.export file; "custom" for a network or a
    state dict given as a Python object, and the first 8 digits of its digest once it is registered.
    `named`: a recipe contains the name of pretrained weights, because the default may be another one elsewhere.
    `str()` gives the text for display: "IMAGENET1K_V1", "random", "birds.pth", "custom 1a2b3c4d".
    """

    kind: Literal["default", "random", "file", "program", "custom"]
    name: str = ""
    named: bool = False

    @classmethod
    def parse(cls, text: str) -> "Weights":
        """Return the weights for a text in a recipe or a command line: "default", "random", "custom ..." or a path."""
        if text in ("default", "random"):
            return cls(text)  # type: ignore[arg-type]
        custom = _CUSTOM.fullmatch(text)
        return cls("custom", custom[1] or "") if custom else cls("file", text)

    def __str__(self) -> str:
        if self.kind in ("file", "program"):
            return PurePath(self.name).name
        return self.name or self.kind if self.kind == "default" else f"{self.kind} {self.name}".strip()

    @property
    def argument(self) -> str:
        """The text that `parse` reads back, and that `load_model(weights=...)` takes unless the weights are custom.

        A program file has no separate weights, so its argument is "default": its path is the model to load.
        """
        if self.named:
            return self.name
        if self.kind == "file":
            return self.name if Weights.parse(self.name) == self else f"./{self.name}"
        return "default" if self.kind == "program" else str(self) if self.kind == "custom" else self.kind

    @property
    def is_custom(self) -> bool:
        """Whether the network or its weights were given as a Python object, which a recipe cannot name."""
        return self.kind == "custom"

    @property
    def is_random(self) -> bool:
        """Whether the network is untrained."""
        return self.kind == "random"


def read(source: Path | bytes, name: str = "") -> dict[str, Tensor]:
    """Return the state dict of a weights file (safetensors, or of torch.save), given by its path or its content.

    No code in it is run. Raises CamvizError.
    """
    state = read_checkpoint(source, name)
    for key in _WRAPPERS:
        start = f"{key}{SEPARATOR}"
        inner = {other.removeprefix(start): value for other, value in state.items() if other.startswith(start)}
        if inner and not any(SEPARATOR in other for other in inner):
            state = inner
            break
    return {key.removeprefix("module."): value for key, value in state.items()}


def read_checkpoint(source: Path | bytes, name: str = "") -> dict[str, Tensor]:
    """Return all tensors of a weights file; keys of nested dictionaries are joined by slashes: "ema/conv.weight".

    For the index of a checkpoint in several files, the tensors of all files. No code in them is run. Raises
    CamvizError.
    """
    name = name or str(source)
    if isinstance(source, Path):
        if not is_file(source):
            raise WeightsError("there is no weights file {name}", name=name)
        check_readable(source)
        if name.endswith(INDEX):
            return _read_shards(source)
    check_is_whole(name)
    return _read_file(source, name)


def _read_shards(index: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for file, names in files_of(index).items():
        content = _read_file(file, file.name)
        if absent := sorted(names - content.keys()):
            raise WeightsError(
                "the weights file {file} has no '{tensor}', although {name} lists it: download both again",
                file=file.name,
                tensor=absent[0],
                name=index.name,
            )
        state |= {name: content[name] for name in names}
    return state


def _read_file(source: Path | bytes, name: str) -> dict[str, Tensor]:
    _check_format(source, name)
    if (kind := kind_of(source)) != "state dict":
        raise WeightsError(
            "the file {name} holds a program ({kind}) and not a state dict: load it without an "
            "architecture, camviz.load_model({name!r})",
            name=name,
            kind=kind,
        )
    with reading(name):
        if _start(source)[8:] == b"{":
            return load(source) if isinstance(source, bytes) else load_file(source)
        _check_archive(source)
        content = load_content(_opened(source))
    state = tensors_in(content)
    if not state:
        raise WeightsError(
            "the weights file {name} holds no state dict: save one by torch.save(net.state_dict(), file)", name=name
        )
    # A tensor of stride 0 can claim any shape in a small file: a network built for this shape would fill the memory.
    if any(value.layout != torch.strided or value.is_meta or value.nbytes > _size(source) for value in state.values()):
        raise WeightsError(
            "the weights file {name} cannot be used, because its tensors claim to be larger than the file: save them "
            "by torch.save(net.state_dict(), file)",
            name=name,
        )
    return state


def _check_format(source: Path | bytes, name: str) -> None:
    """Raise CamvizError for a compressed file, an archive of files, or an index."""
    start = _start(source)
    known = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z"}
    kind = next((kind for magic, kind in known.items() if start.startswith(magic)), "")
    if not kind and _start(source, 262)[257:] == b"ustar":
        kind = "tar"
    if kind:
        raise WeightsError(
            "{name} is a {kind} archive: unpack it, and give the weights file in it", name=name, kind=kind
        )
    if name.endswith(INDEX):
        raise WeightsError(
            "{name} is the index of weights in several files, and only one can be uploaded: merge them, by "
            "torch.save(net.state_dict(), file)",
            name=name,
        )


def kind_of(source: Path | bytes) -> Literal["state dict", "TorchScript", "torch.export"]:
    """Return the kind of a file that torch wrote, by the names in its archive; "state dict" if it is no archive."""
    with suppress(*_BROKEN), ZipFile(_opened(source)) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
        if "constants.pkl" in names:
            return "TorchScript"
        if "archive_format" in names:
            return "torch.export"
    return "state dict"


def _opened(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source


def _start(source: Path | bytes, count: int = 9) -> bytes:
    if isinstance(source, bytes):
        return source[:count]
    with source.open("rb") as file:
        return file.read(count)


def _size(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _check_archive(source: Path | bytes) -> None:
    """Raise ValueError for an archive that is compressed, as torch never writes it, or that is ambiguous."""
    if not _start(source).startswith(b"PK\3\4"):  # torch recognizes its archives by these bytes too
        return
    with ZipFile(_opened(source)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _size(source):
            raise ValueError("compressed")
        if archive.comment or min(entry.header_offset for entry in entries) != 0:
            raise ValueError("torch's reader may find another directory in it than Python's")


@contextmanager
def reading(name: Path | str) -> Iterator[None]:
    """Raise CamvizError about the weights file if the code inside fails to read it."""
    try:
        yield
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if not wanted:
            raise WeightsError(
                "the weights file {name} holds more than tensors, or is damaged: save only the tensors, by "
                "torch.save(net.state_dict(), file)",
                name=name,
            ) from error
        raise WeightsError(
            "the weights file {name} holds more than tensors ({code}), and CamViz runs no code of a file: save only "
            "the tensors, by torch.save(net.state_dict(), file)",
            name=name,
            code=wanted[1],
        ) from error
    except _BROKEN as error:
        raise WeightsError(
            "the weights file {name} cannot be used: it is damaged, of another network, or holds "
            "more than tensors; replace it by a complete file",
            name=name,
        ) from error
