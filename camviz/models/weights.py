"""Weights files: fetched whole or not at all, and read without running any code they may carry."""

import hashlib
import http.client
import pickle
import re
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.error import HTTPError, URLError
from uuid import uuid4

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import CamvizError

Progress = Callable[[int, int], None]

TIMEOUT = 10.0  # seconds without a byte
CHUNK = 1 << 18
PAUSE = 0.1  # seconds between two words of progress

_BROKEN = (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError)
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_TRAINING_ONLY = ("aux1.", "aux2.", "AuxLogits.")  # GoogLeNet's and Inception's second heads


def cached(url: str, name: str = "", progress: Progress | None = None) -> Path:
    """The file behind `url` in torch's hub cache, fetched first where it is not there yet.

    Saved under `name`, by default the url's last part. `progress(done, total)` counts bytes; total is 0 where
    the server does not tell. Nothing is left behind where it fails or `progress` raises. Raises CamvizError.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / (name or url.rpartition("/")[2])
    if not file.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(url, file, progress)
        except (OSError, http.client.HTTPException) as error:
            raise CamvizError(
                f"the weights file {file.name} is not here and could not be fetched ({_reason(error)}): put it by hand "
                f"into {folder}, or meanwhile use efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, "
                f"which need no network, or weights='random'"
            ) from error
    return file


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
        expected = re.search(r"-([0-9a-f]{8,64})\.\w+$", url)
        if expected and not digest.hexdigest().startswith(expected[1]):
            raise OSError("what came does not have the checksum in the file's name")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def read(file: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by name: .safetensors, or a state dict saved by torch. Raises CamvizError."""
    if not file.is_file():
        raise CamvizError(f"there is no weights file {file}")
    with reading(file):
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        content = torch.load(file, map_location="cpu", weights_only=True)
    state = next((content[key] for key in _WRAPPERS if isinstance(content, Mapping) and key in content), content)
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise CamvizError(
            f"the weights file {file.name} holds no state dict: save one by torch.save(net.state_dict(), file)"
        )
    return {key.removeprefix("module."): value for key, value in state.items()}


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """What fails within is told of the weights file, which lies there but cannot be used."""
    try:
        yield
    except _BROKEN as error:
        raise CamvizError(
            f"the weights file {file} cannot be used: it is damaged, of another network, or holds more than tensors; "
            "remove it, or put a whole one in its place"
        ) from error


def fill(net: nn.Module, state: Mapping[str, Tensor], file: str, name: str) -> None:
    """Load `state` into `net`, every key and shape matched. Raises CamvizError naming the first that is not."""
    wanted = net.state_dict()
    given = {key: value for key, value in state.items() if key in wanted or not key.startswith(_TRAINING_ONLY)}
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in given if key not in wanted]
    misshapen = [key for key in given if key in wanted and given[key].shape != wanted[key].shape]
    if missing:
        raise CamvizError(f"the weights file {file} does not fit {name}: it has no '{missing[0]}'{_more(missing)}")
    if unexpected:
        raise CamvizError(
            f"the weights file {file} does not fit {name}, which has no '{unexpected[0]}'{_more(unexpected)}"
        )
    if misshapen:
        key = misshapen[0]
        raise CamvizError(
            f"the weights file {file} does not fit {name}: '{key}' has the shape {tuple(given[key].shape)} "
            f"instead of {tuple(wanted[key].shape)}{_more(misshapen)}"
        )
    wanted.update(given)  # keeps the versions that torch notes beside the tensors
    net.load_state_dict(wanted)


def classes_in(state: Mapping[str, Tensor], net: nn.Module, classes: int) -> int:
    """The number of classes of a checkpoint: the rows of its last layer, which `net` has for `classes`."""
    heads = [key for key, value in net.state_dict().items() if value.ndim > 1 and len(value) == classes]
    return len(state[heads[-1]]) if heads and heads[-1] in state and state[heads[-1]].ndim > 1 else classes


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
