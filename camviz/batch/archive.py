"""Read the images of a ZIP file into memory, within limits. Nothing is written to disk."""

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
# The exceptions of Python's reader for damaged, encrypted and unusual archives.
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, MemoryError, struct.error)
# With other compressions, Python's reader unpacks a whole block, of any size, before it can be stopped.
ACCEPTED_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def images_in_zip(data: bytes, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file in a ZIP that has the suffix of an image, in the archive's order.

    Raises CamvizError if it is no ZIP, if it contains more than `most` images or `most_bytes` of them, or if an image
    is encrypted, damaged, over 20 MB, or compressed to less than a hundredth of its size.
    """
    try:
        _check_directory(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = [entry for entry in archive.infolist() if _is_image(entry.filename)]
            if len(found) > most:
                raise FilesError("expected at most {most} images; this ZIP has {count}", most=most, count=len(found))
            left = most_bytes
            for entry in found:
                if entry.compress_type not in ACCEPTED_COMPRESSIONS:
                    raise zipfile.BadZipFile("packed in an unusual way")
                # The sizes in the archive's directory may be false, so the bytes that are read are limited too.
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
    """Raise CamvizError for a file that is no ZIP, or lists too many files: reading a directory of millions is slow."""
    if data.rfind(b"PK\5\6", max(0, len(data) - 65557)) < 0:
        raise FilesError("this file is no ZIP")
    # Each entry begins like this. The number of entries at the end of the archive may be false.
    if data.count(b"PK\1\2") > MOST_ENTRIES:
        raise FilesError("this ZIP lists more files than the {most} that are accepted", most=MOST_ENTRIES)


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
