"""Weights files: fetched whole or not at all, and read without running any code they may carry."""

import hashlib
import http.client
import pickle
import re
import struct
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Literal
from urllib.error import HTTPError, URLError
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file
from torch import Tensor, nn
from torchvision.models import GoogLeNet, Inception3

from ..errors import CamvizError

Progress = Callable[[int, int], None]
Hint = Callable[[Mapping[str, Tensor]], str]

TIMEOUT = 10.0  # seconds without a byte
CHUNK = 1 << 18
PAUSE = 0.1  # seconds between two words of progress

_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(ImportError, MemoryError, AssertionError, struct.error, pickle.UnpicklingError, BadZipFile, SafetensorError),
)  # whatever a damaged or hostile file makes the readers raise
_CHECKSUM = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # sha256's first digits, at the end of an address
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")  # GoogLeNet's and Inception's second heads


def cached(url: str, name: str = "", progress: Progress | None = None) -> Path:
    """The file behind `url` in torch's hub cache, fetched first where it is not there yet, or not whole.

    Saved under `name`, by default the url's last part. `progress(done, total)` counts bytes; total is 0 where
    the server does not tell. Nothing is left behind where it fails or `progress` raises. Raises CamvizError.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / (name or url.rpartition("/")[2])
    fault = "not here" if not file.exists() else "" if _is_whole(file, url) else "damaged"
    if fault:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(url, file, progress)
        except (OSError, http.client.HTTPException) as error:
            raise CamvizError(
                f"the weights file {file.name} is {fault} and could not be fetched ({_reason(error)}): put it by hand "
                f"into {folder}, or meanwhile use efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, "
                f"which need no network, or weights='random'"
            ) from error
    return file


def _is_whole(file: Path, url: str) -> bool:
    """Whether nothing of a file is missing: by the checksum in its address, else by what its own format says."""
    if expected := _CHECKSUM.search(url):
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest().startswith(expected[1])
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt"):
                return True
        if _start(file).startswith(b"PK\3\4"):
            ZipFile(file).close()
    except (BadZipFile, SafetensorError):
        return False
    return file.stat().st_size > 0


def _download(url: str, file: Path, progress: Progress | None) -> None:
    """Stream `url` into a temporary file beside `file`, which takes its name only when it is complete."""
    part = file.with_name(f"{file.name}.{uuid4().hex}.part")
    digest = hashlib.sha256()
    done, due = 0, 0.0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, part.open("xb") as output:
            total = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read1(CHUNK):
                output.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress and (done == total or monotonic() >= due):
                    progress(done, total)
                    due = monotonic() + PAUSE
        if total and done != total:
            raise OSError(f"the transfer broke off after {done} of {total} bytes")
        if (expected := _CHECKSUM.search(url)) and not digest.hexdigest().startswith(expected[1]):
            raise OSError("what came does not have the checksum in the file's name")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, URLError):
        return str(error.reason)
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return "the disk is full"
    return str(error) or type(error).__name__


def read(source: Path | bytes, name: str = "") -> dict[str, Tensor]:
    """The tensors of a weights file, or of the content of one of that name: safetensors, or a state dict of torch.

    No code that it may carry is run. Raises CamvizError.
    """
    name = name or str(source)
    if isinstance(source, Path) and not source.is_file():
        raise CamvizError(f"there is no weights file {name}")
    if (kind := kind_of(source)) != "state dict":
        raise CamvizError(
            f"the file {name} holds a program ({kind}) and not a state dict: load it without an architecture, "
            f"camviz.load_model({name!r})"
        )
    with reading(name):
        if _start(source)[8:] == b"{":
            return load(source) if isinstance(source, bytes) else load_file(source)
        _check_archive(source)
        content = torch.load(_opened(source), map_location="cpu", weights_only=True)
    state = next((content[key] for key in _WRAPPERS if isinstance(content, Mapping) and key in content), content)
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise CamvizError(
            f"the weights file {name} holds no state dict: save one by torch.save(net.state_dict(), file)"
        )
    # A tensor may name one number a million times: networks that are built after its shape would fill the memory.
    if any(value.layout != torch.strided or value.is_meta or value.nbytes > _size(source) for value in state.values()):
        raise CamvizError(f"the weights file {name} cannot be used: its tensors claim to be larger than the file")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def kind_of(source: Path | bytes) -> Literal["state dict", "TorchScript", "torch.export"]:
    """What a file that torch wrote holds, by the names in its archive; what is no archive may be a state dict."""
    with suppress(*_BROKEN), ZipFile(_opened(source)) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
        if "constants.pkl" in names:
            return "TorchScript"
        if "archive_format" in names:
            return "torch.export"
    return "state dict"


def _opened(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:9]
    with source.open("rb") as file:
        return file.read(9)


def _size(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _check_archive(source: Path | bytes) -> None:
    """Refuse an archive that grows when it is unpacked, which torch never writes, or that torch may read otherwise."""
    if not _start(source).startswith(b"PK\3\4"):  # by which torch tells an archive from the files of its early days
        return
    with ZipFile(_opened(source)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _size(source):
            raise ValueError("compressed")
        if archive.comment or min(entry.header_offset for entry in entries) != 0:
            raise ValueError("torch's reader may find another directory in it than Python's")


@contextmanager
def reading(name: Path | str) -> Iterator[None]:
    """What fails within is told of the weights file, which lies there but cannot be used."""
    try:
        yield
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        raise CamvizError(
            f"the weights file {name} holds more than tensors"
            + (f" ({wanted[1]}), which would have to be run as code, and is not" if wanted else ", or is damaged")
            + ": save the tensors alone, by torch.save(net.state_dict(), file)"
        ) from error
    except _BROKEN as error:
        raise CamvizError(
            f"the weights file {name} cannot be used: it is damaged, of another network, or holds more than tensors; "
            "remove it, or put a whole one in its place"
        ) from error


def unwrapped(state: Mapping[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """`state` without what stands before every name and is not of `net`, as Lightning's "model." """
    own = {key.partition(".")[0] for key in net.state_dict()}
    state = dict(state)
    while True:
        first = {key.partition(".")[0] for key in state}
        if len(first) != 1 or first & own or not all("." in key for key in state):
            return state
        state = {key.partition(".")[2]: value for key, value in state.items()}


def fill(net: nn.Module, state: Mapping[str, Tensor], file: str, name: str, hint: Hint | None = None) -> None:
    """Load `state` into `net`, every key and shape matched.

    Raises CamvizError that tells how many are not, the first of each sort, and what `hint` makes of the state.
    """
    wanted = net.state_dict()
    given = {key: value for key, value in state.items() if key in wanted or not key.startswith(_TRAINING_ONLY)}
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [key for key in given if key in wanted and given[key].shape != wanted[key].shape]
    reasons = []
    if missing:
        reasons.append(f"it has no '{missing[0]}'{_more(missing)}")
    if unexpected:
        reasons.append(f"{name} has no '{unexpected[0]}'{_more(unexpected)}")
    if misshapen:
        key = misshapen[0]
        shapes = f"the shape {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        reasons.append(f"'{key}' has {shapes}{_more(misshapen)}")
    if reasons:
        what = f"the weights file {file}" if file else "the state dict"
        raise CamvizError(f"{what} does not fit {name}: {'; '.join(reasons)}{hint(state) if hint else ''}")
    wanted.update(given)  # keeps the versions that torch notes beside the tensors
    with reading(file or "of these tensors"):
        net.load_state_dict(wanted)


def classes_in(state: Mapping[str, Tensor], net: nn.Module, classes: int) -> int:
    """The number of classes of a checkpoint: the rows of its last layer, which `net` has for `classes`."""
    heads = [(key, value) for key, value in net.state_dict().items() if value.ndim > 1 and len(value) == classes]
    key, known = heads[-1] if heads else ("", torch.empty(0, device="cpu"))
    given = state.get(key)
    return classes if given is None or given.shape[1:] != known.shape[1:] or given.ndim < 2 else len(given)


def channels_in(state: Mapping[str, Tensor], net: nn.Module) -> int:
    """The number of input channels of a checkpoint: those of the first convolution, as `net` names it."""
    name, first = first_convolution(net)
    given = state.get(f"{name}.weight")
    known = len(first.weight), *first.kernel_size
    if given is None or given.ndim != 4 or (len(given), *given.shape[2:]) != known:
        return first.in_channels
    return given.shape[1] * first.groups


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """The first convolution, which meets the picture, with its name. Raises CamvizError."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    raise CamvizError(f"{type(net).__name__} has no convolution")


def widen(net: nn.Module, channels: int) -> None:
    """Let a network that has no weights yet take another number of input channels."""
    _, first = first_convolution(net)
    first.in_channels = channels
    first.weight = nn.Parameter(first.weight.new_zeros(len(first.weight), channels, *first.kernel_size))
    if isinstance(net, GoogLeNet | Inception3):
        net.transform_input = False  # their own scaling of red, green and blue


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
