"""Hostile ZIPs: bombs, paths, links, false sizes; and the memory that reading them takes."""

import io
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from camviz import CamvizError
from camviz.batch.archive import images_in_zip
from camviz.ui.inputs import dataset_input

ROOT = Path(__file__).parents[2]
MB = 2**20
UNUSUAL = "this ZIP is damaged, encrypted, or packed in an unusual way"


def read_images(data: bytes) -> list[tuple[str, bytes]]:
    return list(images_in_zip(data, dataset_input.MOST, dataset_input.MOST_BYTES))


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression, compresslevel=9) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return file.getvalue()


def entry(name: bytes, packed: bytes, size: int, offset: int, method: int = 8) -> tuple[bytes, bytes]:
    """Return the header of a file in a ZIP, and its entry in the directory at the end."""
    facts = struct.pack("<HHHHHLLLHH", 20, 0, method, 0, 0, 0, len(packed), size, len(name), 0)
    line = b"PK\1\2" + struct.pack("<H", 20) + facts + struct.pack("<HHHLL", 0, 0, 0, 0, offset) + name
    return b"PK\3\4" + facts + name, line


def with_directory(body: bytes, lines: list[bytes], size: int | None = None) -> bytes:
    directory = b"".join(lines)
    stated = len(directory) if size is None else size
    count = min(len(lines), 0xFFFF)
    return body + directory + b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, count, count, stated, len(body), 0)


@cache
def compressed_zeros(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join([*(packer.compress(bytes(MB)) for _ in range(size // MB)), packer.flush()])


def test_zip_inside_a_zip_is_not_opened() -> None:
    inner = archive({"a.jpg": bytes(5 * MB)})
    assert read_images(archive({f"{number}.zip": inner for number in range(16)})) == []
    (found,) = read_images(archive({"a.jpg": inner}, zipfile.ZIP_STORED))
    with pytest.raises(CamvizError, match="this file is not an image"):
        dataset_input._photo(*found).open()


def test_zip_bombs_with_false_sizes_are_refused() -> None:
    packed = compressed_zeros(300 * MB)
    assert len(packed) < 0.4 * MB
    for claim in (10 * 2**30 % 2**32, 0xFFFFFFFE, 300 * MB):
        head, line = entry(b"a.jpg", packed, claim, 0)
        with pytest.raises(CamvizError, match=r"'a\.jpg' unpacks to more than is allowed"):
            read_images(with_directory(head + packed, [line]))
    head, line = entry(b"a.jpg", packed, 10, 0)  # a size that is too small
    try:
        assert [len(data) for _, data in read_images(with_directory(head + packed, [line]))] == [10]
    except CamvizError as error:
        assert str(error) == UNUSUAL


def test_entries_that_share_bytes_count_separately() -> None:
    packed = compressed_zeros(10 * MB)
    head, _ = entry(b"000.jpg", packed, 10 * MB, 0)
    lines = [entry(b"%03d.jpg" % number, packed, 10 * MB, 0)[1] for number in range(50)]
    with pytest.raises(CamvizError, match=r"unpacks to more than is allowed|damaged"):
        read_images(with_directory(head + packed, lines))


@pytest.mark.parametrize("kind", ["plain", "said to be small", "second end", "fields like an end"])
def test_too_many_entries_are_refused_before_reading(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, line = entry(b"a", b"", 0, 0)
    data = with_directory(b"", [line] * 100_000)
    if kind == "said to be small":
        data = with_directory(b"", [line] * 100_000, size=46)
    elif kind == "second end":  # the end record of large archives, which Python's reader prefers
        size = len(line) * 100_000
        large = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 100_000, 100_000, size, 0)
        data = line * 100_000 + large + b"PK\6\7" + struct.pack("<LQL", 0, size, 1)
        data += b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, 46, 0, 0)
    elif kind == "fields like an end":
        data = data[:-18] + b"PK\5\6" + data[-14:]
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(CamvizError, match="lists more files than the"):
        read_images(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bzip2_and_lzma_are_refused_before_unpacking(compression: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile.ZipExtFile, "read", None)
    with pytest.raises(CamvizError, match=UNUSUAL):
        read_images(archive({"a.jpg": bytes(MB)}, compression))


MEMORY = """
import resource, sys
from pathlib import Path
from camviz import CamvizError
from camviz.batch.archive import images_in_zip
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        list(images_in_zip(Path(path).read_bytes(), 60, 60 * 2**20))
    except CamvizError as error:
        assert "\\n" not in str(error)
    else:
        raise SystemExit(path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_zip_bombs_take_less_than_150_mb(tmp_path: Path) -> None:
    packed = compressed_zeros(300 * MB)
    head, line = entry(b"a.jpg", packed, 300 * MB, 0)
    (tmp_path / "deflated.zip").write_bytes(with_directory(head + packed, [line]))
    (tmp_path / "entries.zip").write_bytes(with_directory(b"", [entry(b"a", b"", 0, 0)[1]] * 400_000))
    paths = [str(path) for path in tmp_path.iterdir()]
    run = [sys.executable, "-c", MEMORY, *paths]
    printed = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True).stdout
    assert int(printed) < 150  # MB, of which 38 are twice the largest of the files as they came


def test_paths_and_links_in_a_zip_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, "PNG")
    image, names = buffer.getvalue(), ["../../up.png", "/etc/up.png", "C:\\up.png", "a\0b.png", "..\\..\\up.png"]
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in ("/deep/../../up.png", *names):
            made.writestr(name, image)
        made.writestr(link, "/etc/passwd")
    found = read_images(file.getvalue())
    assert dict(found)["link.png"] == b"/etc/passwd"  # its text, and not what it leads to
    with pytest.raises(CamvizError, match="this file is not an image"):
        dataset_input._photo(*found[-1]).open()
    assert list(tmp_path.iterdir()) == [] and not Path("/etc/up.png").exists()
