"""Download weight files once, and check them."""

import hashlib
import http.client
import re
import urllib.request
from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from pathlib import Path
from time import monotonic
from urllib.error import HTTPError, URLError
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError, safe_open

from ..errors import CamvizError
from ..messages import Message
from .weights import _start

Progress = Callable[[int, int], None]


TIMEOUT = 10.0  # seconds without a byte


CHUNK = 1 << 18


PAUSE = 0.1  # seconds between two words of progress


_CHECKSUM = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # sha256's first digits, at the end of an address


def cached(url: str, name: str = "", progress: Progress | None = None) -> Path:
    """The file behind `url` in torch's hub cache, fetched first where it is not there yet, or not whole.

    Saved under `name`, by default the url's last part. `progress(done, total)` counts bytes; total is 0 where
    the server does not tell. Nothing is left behind where it fails or `progress` raises. Raises CamvizError.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / (name or url.rpartition("/")[2])
    fault = Message("not here") if not file.exists() else "" if _is_whole(file, url) else Message("damaged")
    if fault:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(url, file, progress)
        except (OSError, http.client.HTTPException) as error:
            raise CamvizError(
                "the weights file {file} is {fault} and could not be fetched ({reason}): put it by "
                "hand into {folder}, or meanwhile use efficientnet_lite0, efficientnet_lite1 or "
                "efficientnet_lite2, which need no network, or weights='random'",
                file=file.name,
                fault=fault,
                reason=_reason(error),
                folder=folder,
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
        return Message("the server answered {code}", code=error.code)
    if isinstance(error, URLError):
        return str(error.reason)
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return Message("the disk is full")
    return str(error) or type(error).__name__
