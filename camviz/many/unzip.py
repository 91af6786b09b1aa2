"""The pictures in a ZIP file, read into memory within limits; nothing of it is ever written."""

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from .. import images
from ..errors import CamvizError
from .work import SUFFIXES

LARGEST_DIRECTORY = 2**20  # bytes that list what is inside: several thousand files
LARGEST_RATIO = 100  # unpacked to packed; photographs hardly shrink
# What Python's reader raises on damaged, encrypted and unusual archives.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError, struct.error)


def pictures_in_zip(data: bytes, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each picture in a ZIP, whose name tells that it is one, in the archive's order.

    Raises CamvizError where it is no ZIP, holds more than `most` pictures or `most_bytes` of them, or a picture that
    is encrypted, damaged, over 20 MB, or packed more than a hundredfold.
    """
    try:
        _check_directory(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [entry for entry in archive.infolist() if _is_picture(entry.filename)]
            if len(found) > most:
                raise CamvizError(f"expected at most {most} pictures; this ZIP has {len(found)}")
            left = most_bytes
            for entry in found:
                # The sizes that the archive states may be lies, so what is really read is limited too.
                allowed = min(images.MAX_BYTES, left, LARGEST_RATIO * max(1, entry.compress_size))
                with archive.open(entry) as file:
                    content = file.read(allowed + 1)
                if len(content) > allowed:
                    raise CamvizError(
                        f"'{entry.filename[-60:]}' unpacks to more than is allowed: {_limits(most_bytes)}"
                    )
                left -= len(content)
                yield entry.filename, content
    except CamvizError:
        raise
    except UNREADABLE as error:
        raise CamvizError("this ZIP is damaged, encrypted, or packed in an unusual way") from error


def _check_directory(data: bytes) -> None:
    """Look at the end of the archive, before all of its entries are read: there may be millions."""
    end = data.rfind(b"PK\5\6", max(0, len(data) - 65557))
    if end < 0:
        raise CamvizError("this file is no ZIP")
    (size,) = struct.unpack_from("<L", data, end + 12)
    if size > LARGEST_DIRECTORY:
        raise CamvizError("this ZIP lists more files than a gallery of pictures needs")


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not name.endswith("/") and not hidden


def _limits(most_bytes: int) -> str:
    whole, each = most_bytes // 2**20, images.MAX_BYTES // 2**20
    return f"{each} MB each, {whole} MB together, and {LARGEST_RATIO} times its packed size"
