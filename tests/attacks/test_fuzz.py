"""A small share of `make fuzz`, and that it would see what it looks for."""

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


def test_five_hundred_damaged_files() -> None:
    run = [sys.executable, "-m", "tests.attacks.fuzz", "--inputs", "500", "--seed", "1", "--workers", "1"]
    ended = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = re.match(r"500 inputs in \d+ s: (\d+) images, (\d+) refused with a sentence, 0 failed", ended.stdout)
    assert told and int(told[1]) > 60 and int(told[2]) > 160


def test_its_good_files_are_of_every_format_and_good() -> None:
    readers = {images.files.find_reader(data) for data in fuzz.seeds().values()}
    assert readers == set(images.files.READERS.values())
    assert {fuzz.judge(data) for data in fuzz.seeds().values()} == {"image"}
    assert all(b"".join(fuzz.split(data)) == data for data in fuzz.seeds().values())
    assert fuzz.make(7, 3) == fuzz.make(7, 3) != fuzz.make(8, 3)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(
    name=st.sampled_from(sorted(fuzz.seeds())),
    writes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
    kept=st.floats(0.05, 1),
)
def test_bytes_written_anywhere_give_a_picture_or_a_sentence(name: str, writes: list, kept: float) -> None:
    data = bytearray(fuzz.seeds()[name])
    for place, what in writes:
        start = int(place * (len(data) - 1))
        data[start : start + len(what)] = what
    assert fuzz.judge(bytes(data[: int(kept * len(data))])) in ("image", "refused")


def unlike_a_picture(_: bytes) -> Image.Image:
    return Image.new("RGBA", (50, 50))


def tiny(_: bytes) -> Image.Image:
    return Image.new("RGB", (3, 50))


def long_winded(_: bytes) -> Image.Image:
    raise CamvizError("two\nlines")


@pytest.mark.parametrize("decode", [unlike_a_picture, tiny, long_winded])
def test_what_it_would_not_let_pass(decode) -> None:
    with pytest.raises(AssertionError):
        fuzz.judge(b"", decode)


def broken(_: bytes) -> Image.Image:
    raise KeyError("tag")


def slow(_: bytes) -> Image.Image:
    time.sleep(0.03)
    return Image.new("RGB", (50, 50))


def greedy(_: bytes) -> Image.Image:
    return Image.new("RGB", (50, 50 if io.BytesIO(b"x" * 900_000_000).getvalue() else 0))


@pytest.mark.parametrize(("decode", "told"), [(broken, "KeyError: 'tag'"), (slow, "0.0 s, "), (greedy, " MB")])
def test_what_it_reports(decode, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LONGEST", 0.02 if decode is slow else 5.0)
    monkeypatch.setattr(fuzz, "MOST_MEMORY", 60)
    judge = fuzz.judge
    monkeypatch.setattr(fuzz, "judge", lambda data: judge(data, decode))
    (failure,) = fuzz.look_at([4], 0).failures
    assert failure.startswith("--seed 0 --only 4 (") and told in failure
