"""The images in a ZIP file, read into memory within limits; nothing of it is ever written."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from .. import images
from ..errors import CamvizError, FilesError
from ..images.files import SUFFIXES
from ..messages import Message

MOST_ENTRIES = 10_000  # files of any kind
LARGEST_RATIO = 100  # unpacked to packed; photographs hardly shrink
# What Python's reader raises on damaged, encrypted and unusual archives.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, MemoryError, struct.error)
# Of the others Python's reader unpacks whatever one block holds before it can be told to stop.
PACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def images_in_zip(data: bytes, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each image in a ZIP, whose name tells that it is one, in the archive's order.

    Raises CamvizError where it is no ZIP, holds more than `most` images or `most_bytes` of them, or an image that
    is encrypted, damaged, over 20 MB, or packed more than a hundredfold.
    """
    try:
        _check_directory(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [entry for entry in archive.infolist() if _is_image(entry.filename)]
            if len(found) > most:
                raise FilesError("expected at most {most} images; this ZIP has {count}", most=most, count=len(found))
            left = most_bytes
            for entry in found:
                if entry.compress_type not in PACKED_BY:
                    raise zipfile.BadZipFile("packed in an unusual way")
                # The sizes that the archive states may be lies, so what is really read is limited too.
                allowed = min(images.MAX_BYTES, left, LARGEST_RATIO * max(1, entry.compress_size))
                with archive.open(entry) as file:
                    content = file.read(allowed + 1)
                if len(content) > allowed:
                    raise FilesError(
                        "'{file}' unpacks to more than is allowed: {limits}",
                        file=entry.filename[-60:],
                        limits=_limits(most_bytes),
                    )
                left -= len(content)
                yield entry.filename, content
    except CamvizError:
        raise
    except UNREADABLE as error:
        raise FilesError("this ZIP is damaged, encrypted, or packed in an unusual way") from error


def _check_directory(data: bytes) -> None:
    """Count what the archive lists before all of it is read: there may be millions."""
    if data.rfind(b"PK\5\6", max(0, len(data) - 65557)) < 0:
        raise FilesError("this file is no ZIP")
    # Each entry has to begin so. The sizes that the archive's end states can be contradicted by another end.
    if data.count(b"PK\1\2") > MOST_ENTRIES:
        raise FilesError("this ZIP lists more files than a gallery of images needs")


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not name.endswith("/") and not hidden


def _limits(most_bytes: int) -> str:
    whole, each = most_bytes // 2**20, images.MAX_BYTES // 2**20
    return Message(
        "{each} MB each, {whole} MB together, and {ratio} times its packed size",
        each=each,
        whole=whole,
        ratio=LARGEST_RATIO,
    )
