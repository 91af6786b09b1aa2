"""A ZIP of images: which files are read, and what is refused."""

import io
import random
import struct
import zipfile

import pytest

from camviz import CamvizError, images
from camviz.batch.archive import images_in_zip

MB = 2**20
NOISE = random.Random(0).randbytes(50_000)


def archive(files, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return file.getvalue()


def read_images(data, most=10, most_bytes=10 * MB):
    return list(images_in_zip(data, most, most_bytes))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_images_are_read_unchanged(compression):
    files = {"a.jpg": NOISE, "folder/b.PNG": NOISE[:100], "c.tiff": b""}
    others = {"readme.txt": b"x", "__MACOSX/a.jpg": b"x", "folder/.b.jpg": b"x", "folder.jpg/": b"", "jpg": b"x"}
    assert read_images(archive({**others, **files}, compression)) == list(files.items())


def test_paths_outside_the_zip_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {"C:up.jpg": NOISE, "/etc/passwd.png": NOISE}
    assert dict(read_images(archive({**files, "../../up.jpg": NOISE}))) == files
    assert not list(tmp_path.iterdir())  # nothing was written


def test_too_many_images_are_refused():
    files = {f"{number}.jpg": b"x" for number in range(4)}
    assert len(read_images(archive(files), most=4)) == 4
    with pytest.raises(CamvizError, match="expected at most 3 images; this ZIP has 4"):
        read_images(archive({**files, "a.txt": b""}), most=3)


def test_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    data = archive({"bomb.jpg": bytes(50 * MB)})
    assert len(data) < 60_000
    read = []
    original = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read.append(n) or original(self, n))
    with pytest.raises(CamvizError, match=r"'bomb.jpg' unpacks to more than is allowed: 20 MB each, 10 MB together"):
        read_images(data)
    assert read and 0 < max(read) <= 100 * len(data)


def test_false_stated_size_does_not_bypass_the_limit():
    data = bytearray(archive({"a.jpg": bytes(30 * MB)}))
    entry = data.rfind(b"PK\1\2")
    struct.pack_into("<L", data, entry + 24, 10)  # the stated unpacked size
    try:
        found = read_images(bytes(data), most_bytes=100 * MB)
    except CamvizError:
        found = []
    assert sum(len(content) for _, content in found) <= 10


def test_size_is_limited_per_file_and_in_total(monkeypatch):
    files = {"a.jpg": NOISE, "b.jpg": NOISE}
    assert len(read_images(archive(files), most_bytes=2 * len(NOISE))) == 2
    with pytest.raises(CamvizError, match=r"'b\.jpg' unpacks to more"):
        read_images(archive(files), most_bytes=2 * len(NOISE) - 1)
    monkeypatch.setattr(images, "MAX_BYTES", len(NOISE) - 1)
    with pytest.raises(CamvizError, match=r"'a\.jpg' unpacks to more"):
        read_images(archive(files))


def test_too_many_entries_are_refused(monkeypatch):
    data = archive({f"{number:050}.txt": b"" for number in range(100)})
    assert read_images(data) == []
    monkeypatch.setattr("camviz.batch.archive.MOST_ENTRIES", 99)
    with pytest.raises(CamvizError, match="lists more files than the"):
        read_images(data)


def damaged_archives():
    good = archive({"a.jpg": NOISE, "b.jpg": NOISE})
    middle, encrypted = bytearray(good), bytearray(good)
    middle[2000:2050] = bytes(50)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        encrypted[encrypted.find(signature) + offset] |= 1
    unknown = bytearray(good)
    for signature, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        struct.pack_into("<H", unknown, unknown.find(signature) + offset, 77)
    return {"cut": good[3000:], "middle": bytes(middle), "encrypted": bytes(encrypted), "unknown": bytes(unknown)}


@pytest.mark.parametrize("kind", damaged_archives())
def test_damaged_and_encrypted_archives_are_refused(kind):
    with pytest.raises(CamvizError, match="this ZIP is damaged, encrypted, or packed in an unusual way"):
        read_images(damaged_archives()[kind])


@pytest.mark.parametrize("data", [b"", b"PK", NOISE, archive({"a.jpg": NOISE})[:-22]])
def test_other_files_are_refused(data):
    with pytest.raises(CamvizError, match="this file is no ZIP"):
        read_images(data)


def test_random_damage_raises_only_camviz_errors():
    good = bytearray(archive({"a.jpg": NOISE[:300], "b.png": NOISE[300:700]}))
    rng = random.Random(1)
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read_images(bytes(data))
        except CamvizError as error:
            assert "\n" not in str(error)
