"""Download weights files into torch's hub cache or the Hugging Face cache, unless they are there already."""

import hashlib
import http.client
import re
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from errno import EDQUOT, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENOSPC
from pathlib import Path
from socket import gaierror
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import httpx2
import torch
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from safetensors import SafetensorError, safe_open
from tqdm.std import tqdm

from ...errors import CamvizError
from ...messages import Message
from .packaged import PACKAGES, packaged_file
from .weights import _start

Progress = Callable[[int, int], None]

TIMEOUT = 10.0  # seconds without a byte
CHUNK = 1 << 18
PAUSE = 0.1  # seconds between two calls of progress

_CHECKSUM = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # the first digits of the sha256, at the end of an address


class DownloadError(CamvizError):
    """Weights that could not be downloaded; `reason` is the cause in a few words."""

    code = "download-failed"
    reason: str = ""


def cached(url: str, progress: Progress | None = None) -> Path:
    """Return the file behind `url` from an installed package or torch's hub cache; download it if it is missing there.

    `progress(done, total)` counts bytes; total is 0 if the server does not send it. A failed or canceled download
    leaves no file; a damaged file is replaced. Raises CamvizError.
    """
    name = url.rpartition("/")[2]
    if packaged := packaged_file(name):
        if _is_whole(packaged, url):
            return packaged
        raise CamvizError(
            "the weights file {file} of the package {package} is damaged: install it again",
            file=name,
            package=PACKAGES[name][0],
        )
    folder = _folder()
    file = folder / name
    fault = Message("missing") if not file.exists() else "" if _is_whole(file, url) else Message("damaged")
    if fault:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(url, file, progress)
        except (OSError, http.client.HTTPException) as error:
            raise _failure(file.name, fault, error) from error
    return file


def from_hugging_face(repository: str, path: str, name: str, progress: Progress | None = None) -> Path:
    """Return a file of a Hugging Face repository from its cache; download it if it is missing.

    `repository`: "owner/name", or "owner/name@revision". A file `name` that a user has put into torch's hub cache takes
    precedence. The variables HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE have their usual meaning.
    `progress(done, total)` is called ten times a second; an exception from it cancels the download. Raises CamvizError.
    """
    file = _folder() / name
    if file.exists():
        return file
    repository, _, revision = repository.partition("@")
    known = try_to_load_from_cache(repository, path, revision=revision or None)
    if isinstance(known, str):
        return Path(known)
    try:
        # Fails at once without a connection, for which hf_hub_download would retry for 20 s.
        get_hf_file_metadata(hf_hub_url(repository, path, revision=revision or None), timeout=TIMEOUT)
        return _download_from_hugging_face(repository, path, revision or None, progress)
    except (OSError, httpx2.HTTPError) as error:
        raise _failure(name, Message("missing"), error) from error


def downloaded_files() -> frozenset[str]:
    """Return the names of the files in torch's hub cache."""
    return frozenset(file.name for file in _folder().glob("*"))


def downloaded_repositories() -> frozenset[str]:
    """Return the repositories in the Hugging Face cache, as "owner/name"."""
    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return frozenset(folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders)


def is_downloaded(repository: str, path: str) -> bool:
    """Return whether a file of a repository, "owner/name" or "owner/name@revision", is in the Hugging Face cache."""
    repository, _, revision = repository.partition("@")
    return isinstance(try_to_load_from_cache(repository, path, revision=revision or None), str)


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _failure(name: str, fault: str, error: Exception) -> DownloadError:
    failure = DownloadError(
        "the weights file {file} is {fault} and could not be downloaded ({reason}): download it to {folder} yourself, "
        "or use efficientnet_lite0, efficientnet_lite1 or efficientnet_lite2, which come with CamViz, or "
        "weights='random'",
        file=name,
        fault=fault,
        reason=_reason(error),
        folder=_folder(),
    )
    failure.reason = Message("no internet connection") if _is_offline(error) else _reason(error)
    return failure


def _is_offline(error: Exception) -> bool:
    cause = error.reason if isinstance(error, URLError) else error
    unreachable = isinstance(cause, OSError) and cause.errno in (ENETDOWN, ENETUNREACH, EHOSTUNREACH)
    return unreachable or isinstance(cause, gaierror | ConnectionError | TimeoutError | httpx2.TransportError)


def _is_whole(file: Path, url: str) -> bool:
    """Return whether a file is complete, by the checksum in its URL or, without one, by its format."""
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
    """Download `url` into a temporary file, which is renamed to `file` once it is complete."""
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
            raise OSError("the downloaded file does not have the checksum in its name")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


class _Canceled(BaseException):
    """Ends a download in its own thread."""


def _download_from_hugging_face(repository: str, path: str, revision: str | None, progress: Progress | None) -> Path:
    """Download in a thread, so that `progress` is called regularly even if the next chunk takes long to arrive."""
    bars: list[Any] = []  # the first one counts the bytes of the file
    canceled = threading.Event()
    result: Future[str] = Future()

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *_: Any, total: float | None = None, initial: float = 0, **__: Any) -> None:
            super().__init__(total=total, initial=initial, disable=True)
            bars.append(self)

        def update(self, n: float | None = 1) -> None:
            if canceled.is_set():
                raise _Canceled
            self.n += n or 0

    def run() -> None:
        try:
            result.set_result(hf_hub_download(repository, path, revision=revision, tqdm_class=Bar))
        except BaseException as error:  # noqa: BLE001  # raised again in the calling thread
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            waiting = wait([result], PAUSE).not_done
            if progress and bars:
                progress(int(bars[0].n), int(bars[0].total or 0))
            if not waiting:
                return Path(result.result())
    finally:
        canceled.set()


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return Message("the server answered {code}", code=error.code)
    if isinstance(error, HfHubHTTPError):
        return Message("the server answered {code}", code=error.response.status_code)
    if isinstance(error, OfflineModeIsEnabled):
        return Message("HF_HUB_OFFLINE is set")
    if isinstance(error, URLError):
        return str(error.reason)
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return Message("the disk is full")
    return str(error) or type(error).__name__
