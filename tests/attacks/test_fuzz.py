"""A few inputs of `make fuzz`, and checks that the fuzzer detects faults."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from camviz import CamvizError, images
from tests.attacks import fuzz

ROOT = Path(__file__).parents[2]


def test_damaged_files_are_decoded_or_refused() -> None:
    run = [sys.executable, "-m", "tests.attacks.fuzz", "--inputs", "500", "--seed", "1", "--workers", "1"]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = re.match(r"500 inputs in \d+ s: (\d+) images, (\d+) refused with a sentence, 0 failed", ended.stdout)
    assert told and int(told[1]) > 60 and int(told[2]) > 160


def test_valid_files_cover_every_format_and_are_decoded() -> None:
    readers = {images.files.find_reader(data) for data in fuzz.valid_files().values()}
    assert readers == set(images.files.READERS.values())
    assert {fuzz.decode_or_refuse(data) for data in fuzz.valid_files().values()} == {"image"}
    assert all(b"".join(fuzz.split(data)) == data for data in fuzz.valid_files().values())
    assert fuzz.make(7, 3) == fuzz.make(7, 3) != fuzz.make(8, 3)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(
    name=st.sampled_from(sorted(fuzz.valid_files())),
    writes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
    kept=st.floats(0.05, 1),
)
def test_overwritten_bytes_are_decoded_or_refused(name: str, writes: list, kept: float) -> None:
    data = bytearray(fuzz.valid_files()[name])
    for place, what in writes:
        start = int(place * (len(data) - 1))
        data[start : start + len(what)] = what
    assert fuzz.decode_or_refuse(bytes(data[: int(kept * len(data))])) in ("image", "refused")


def returns_rgba(_: bytes) -> Image.Image:
    return Image.new("RGBA", (50, 50))


def returns_3_pixels(_: bytes) -> Image.Image:
    return Image.new("RGB", (3, 50))


def raises_two_lines(_: bytes) -> Image.Image:
    raise CamvizError("two\nlines")


@pytest.mark.parametrize("decode", [returns_rgba, returns_3_pixels, raises_two_lines])
def test_fuzzer_rejects_wrong_images_and_messages(decode) -> None:
    with pytest.raises(AssertionError):
        fuzz.decode_or_refuse(b"", decode)


def raises_key_error(_: bytes) -> Image.Image:
    raise KeyError("tag")


def takes_30_ms(_: bytes) -> Image.Image:
    time.sleep(0.03)
    return Image.new("RGB", (50, 50))


def takes_much_memory(_: bytes) -> Image.Image:
    return Image.new("RGB", (50, 50 if io.BytesIO(b"x" * 900_000_000).getvalue() else 0))


@pytest.mark.parametrize(
    ("decode", "words"), [(raises_key_error, "KeyError: 'tag'"), (takes_30_ms, "0.0 s, "), (takes_much_memory, " MB")]
)
def test_fuzzer_reports_errors_time_and_memory(decode, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MAX_SECONDS", 0.02 if decode is takes_30_ms else 5.0)
    monkeypatch.setattr(fuzz, "MAX_MEMORY", 60)
    original = fuzz.decode_or_refuse
    monkeypatch.setattr(fuzz, "decode_or_refuse", lambda data: original(data, decode))
    (failure,) = fuzz.decode_inputs([4], 0).failures
    assert failure.startswith("--seed 0 --only 4 (") and words in failure
