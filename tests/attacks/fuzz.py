"""`make fuzz`: decode many damaged and hostile image files with camviz.images, in processes with little memory.

Each must give an image within the limits or a CamvizError of one sentence: no other exception, no crash, no long work.
Input 17 of seed 0 is always the same: `--seed 0 --only 17` repeats it.
"""

import argparse
import faulthandler
import gc
import io
import itertools
import multiprocessing
import os
import random
import resource
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms

from camviz import images
from camviz.errors import CamvizError

SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "coffee.jpg"
MAX_SECONDS = 5.0  # seconds for one input
MAX_MEMORY = 400  # MB above what the process had before: what DECODER_BYTES promises
MEMORY_LIMIT = 2**30  # bytes of address space beside what the process has: a bomb fails in it
BATCH = 250
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x40000001)

_errors: IO[str] = sys.stderr

Random = random.Random
Parts = list[bytes]


@dataclass
class Tally:
    """Results of some inputs: how many of each outcome, the longest time, the most memory, and the failures."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add the results of another tally."""
        self.outcomes += other.outcomes
        self.slowest, self.memory = max(self.slowest, other.slowest), max(self.memory, other.memory)
        self.failures += other.failures


# ---------------------------------------------------------------------------------------------------- good files


@cache
def valid_files() -> dict[str, bytes]:
    """Return valid files of every accepted format by name, all of one photograph."""
    with Image.open(SAMPLE) as opened:
        photo = opened.convert("RGB").resize((64, 48))
    gray, alpha = photo.convert("L"), photo.copy()
    alpha.putalpha(gray)
    sixteen = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 40
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    exif.get_ifd(0x8825)[1] = "N"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = {"exif": exif, "icc_profile": icc}
    wanted: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpeg": (photo, "JPEG", metadata),
        "jpeg progressive": (photo, "JPEG", {"progressive": True, "subsampling": 0}),
        "jpeg gray": (gray, "JPEG", {"restart_marker_blocks": 2}),
        "jpeg cmyk": (photo.convert("CMYK"), "JPEG", {}),
        "jpeg large": (photo.resize((2112, 2080)), "JPEG", {"quality": 20}),
        "mpo": (photo, "MPO", {"save_all": True}),
        "png": (photo, "PNG", metadata),
        "png 1 bit": (gray.convert("1"), "PNG", {}),
        "png 16 bit": (sixteen, "PNG", {}),
        "png gray alpha": (alpha.convert("LA"), "PNG", {}),
        "png alpha": (alpha, "PNG", metadata),
        "png palette": (photo.quantize(32), "PNG", {"transparency": 3}),
        "png animated": (photo, "PNG", {"save_all": True}),
        "png large": (gray.resize((2060, 2050)), "PNG", {"compress_level": 1}),
        "webp": (photo, "WEBP", metadata),
        "webp alpha": (alpha, "WEBP", {"lossless": True, **metadata}),
        "webp animated": (alpha, "WEBP", {"save_all": True}),
        "gif": (photo.quantize(64), "GIF", {"transparency": 1}),
        "gif animated": (photo.quantize(16), "GIF", {"save_all": True, "disposal": 2}),
        "bmp": (photo, "BMP", {}),
        "bmp palette": (photo.quantize(16), "BMP", {}),
        "bmp 1 bit": (gray.convert("1"), "BMP", {}),
        "tiff": (photo, "TIFF", metadata),
        "tiff lzw": (photo, "TIFF", {"compression": "tiff_lzw", "exif": exif}),
        "tiff deflate": (alpha, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "tiff jpeg": (photo, "TIFF", {"compression": "jpeg"}),
        "tiff packbits": (photo.quantize(16), "TIFF", {"compression": "packbits"}),
        "tiff fax": (gray.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff big": (photo, "TIFF", {"big_tiff": True}),
        "tiff cmyk": (photo.convert("CMYK"), "TIFF", {"icc_profile": icc}),
        "tiff lab": (photo.convert("YCbCr"), "TIFF", {}),
        "tiff 16 bit": (sixteen, "TIFF", {}),
        "tiff 32 bit": (gray.convert("I"), "TIFF", {}),
        "tiff float": (gray.convert("F"), "TIFF", {}),
        "tiff pages": (photo, "TIFF", {"save_all": True}),
    }
    found = {}
    for name, (picture, kind, options) in wanted.items():
        file = io.BytesIO()
        if "save_all" in options:  # each time anew: an image keeps what its last format told it
            turned = photo.rotate(180), photo.rotate(90, expand=True).resize(photo.size)
            options = {**options, "append_images": [one.convert(picture.mode) for one in turned]}
        picture.copy().save(file, kind, **options)
        found[name] = file.getvalue()
    return found


# ------------------------------------------------------------------------------------- files as lists of their parts


def split(data: bytes) -> Parts:
    """Split a file into the parts of its format: chunks, segments, directory entries. Joined they are the file."""
    if data.startswith(b"\x89PNG"):
        return _chunks(data, 8, ">", 4, 0)
    if data.startswith(b"RIFF"):
        return _chunks(data, 12, "<", 0, 4)
    if data.startswith(b"\xff\xd8"):
        return _segments(data)
    if data[:2] in (b"II", b"MM"):
        return _directory(data)
    ends = sorted({0, *(end for end in (6, 13, 14, 18, 54, 13 + 3 * 64) if end < len(data)), len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def _chunks(data: bytes, first: int, order: str, extra: int, length_at: int) -> Parts:
    parts, at = [data[:first]], first
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(f"{order}L", data, at + length_at)
        end = min(len(data), at + 8 + length + (extra or length % 2))
        parts.append(data[at:end])
        at = end
    return [*parts, data[at:]]


def _segments(data: bytes) -> Parts:
    parts, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append(data[at:end])
        at = end
    return [*parts, data[at:]]


def _directory(data: bytes) -> Parts:
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] not in (b"*\0", b"\0*"):  # the big ones: entries of 20 bytes
        (at,) = struct.unpack_from(f"{order}Q", data, 8)
        (count,) = struct.unpack_from(f"{order}Q", data, at)
        first, size = at + 8, 20
    else:
        (at,) = struct.unpack_from(f"{order}L", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        first, size = at + 2, 12
    entries = [data[first + size * number : first + size * (number + 1)] for number in range(count)]
    return [data[:first], *entries, data[first + size * count :]]


def _with_checksums(parts: Parts, rng: Random) -> Parts:
    """Return PNG chunks with the right length and checksum, so that a decoder reads their content."""
    mended = parts[:1]
    for part in parts[1:]:
        if len(part) < 12:
            mended.append(part)
            continue
        name, body = part[4:8], part[8:-4]
        if name == b"IDAT" and rng.random() < 0.3:
            body = _recompressed(body, rng)
        mended.append(struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body)))
    return mended


def _recompressed(packed: bytes, rng: Random) -> bytes:
    """Return compressed data with other content: damaged pixels, or some ten megabytes of zeros."""
    try:
        raw = zlib.decompress(packed)
    except zlib.error:
        raw = b""
    raw = bytes(rng.randint(0, 30_000_000)) if rng.random() < 0.02 else _damage_bytes(raw, rng)
    return zlib.compress(raw, 1)


# ---------------------------------------------------------------------------------------------------------- damage


def _damage_bytes(data: bytes, rng: Random) -> bytes:
    """Return the data with random bytes changed, removed or inserted, mostly near the start."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if not found:
            break
        at = rng.randrange(min(len(found), rng.choice((16, 64, 1024, len(found)))))
        what = rng.random()
        if what < 0.3:
            found[at] ^= 1 << rng.randrange(8)
        elif what < 0.5:
            found[at] = rng.randrange(256)
        elif what < 0.8:
            order, value = rng.choice(("big", "little")), rng.choice((*EXTREMES, rng.randrange(2**32)))
            size = rng.choice((2, 4))
            found[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, order)
        elif what < 0.9:
            del found[at : at + rng.randint(1, 64)]
        else:
            found[at:at] = rng.randbytes(rng.randint(1, 64)) if what < 0.95 else found[at : at + 200]
    return bytes(found)


def _cut(parts: Parts, rng: Random) -> Parts:
    data = b"".join(parts)
    return [data[: rng.randrange(len(data) + 1)]]


def _change_all(parts: Parts, rng: Random) -> Parts:
    return [_damage_bytes(b"".join(parts), rng)]


def _change_one(parts: Parts, rng: Random) -> Parts:
    at = rng.randrange(len(parts))
    return [*parts[:at], _damage_bytes(parts[at], rng), *parts[at + 1 :]]


def _repeat(parts: Parts, rng: Random) -> Parts:
    at = rng.randrange(len(parts))
    return [
        *parts[:at],
        *[parts[at]] * rng.choice((2, 3, 50, 3000 if len(parts[at]) < 100 else 5)),
        *parts[at + 1 :],
    ]


def _remove(parts: Parts, rng: Random) -> Parts:
    at = rng.randrange(len(parts))
    return parts[:at] + parts[at + 1 :]


def _swap(parts: Parts, rng: Random) -> Parts:
    a, b, found = rng.randrange(len(parts)), rng.randrange(len(parts)), parts[:]
    found[a], found[b] = found[b], found[a]
    return found


def _insert_foreign_part(parts: Parts, rng: Random) -> Parts:
    """Put a part of another file beside a part of this one, or in its place."""
    other = split(rng.choice(list(valid_files().values())))
    at = rng.randrange(len(parts))
    return [*parts[:at], rng.choice(other), *parts[at + rng.randrange(2) :]]


def _replace_rest(parts: Parts, rng: Random) -> Parts:
    """Join the header of this file and the rest of another."""
    other = b"".join(split(rng.choice(list(valid_files().values()))))
    at = rng.randrange(1, len(parts) + 1)
    return [*parts[:at], other[rng.randrange(len(other)) :]]


DAMAGES: tuple[Callable[[Parts, Random], Parts], ...] = (
    *(_cut, _change_all, _change_all, _change_one, _change_one, _change_one, _change_one),
    *(_repeat, _remove, _swap, _insert_foreign_part, _insert_foreign_part, _replace_rest),
)


def make(number: int, seed: int = 0) -> tuple[str, bytes]:
    """Return the name of the valid file that input `number` starts from, and the damaged file."""
    rng = random.Random(f"{seed}:{number}")
    large = rng.random() < 0.03
    name = rng.choice([name for name in valid_files() if ("large" in name) == large])
    parts = split(valid_files()[name])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        parts = rng.choice(DAMAGES)(parts, rng) or [b""]
    if parts[0].startswith(b"\x89PNG") and rng.random() < 0.6:
        parts = _with_checksums(parts, rng)
    if parts[0].startswith(b"RIFF") and rng.random() < 0.6:
        rest = b"".join(parts)[8:]
        parts = [b"RIFF", struct.pack("<L", len(rest)), rest]
    return name, b"".join(parts)


# ------------------------------------------------------------------------------------------------------- judgment


def decode_or_refuse(data: bytes, decode: Callable[[bytes], Image.Image] = images.decode) -> str:
    """Decode a file; return "image" or "refused", or raise AssertionError for any other outcome."""
    try:
        found = decode(data)
    except CamvizError as error:
        sentence = str(error)
        assert 10 < len(sentence) < 200 and sentence.isprintable(), f"refused by {sentence!r}"
        return "refused"
    pixels = found.width * found.height
    assert found.mode == "RGB" and not found.info and len(found.tobytes()) == 3 * pixels, "no plain RGB image"
    assert min(found.size) >= images.MIN_SIDE and pixels <= images.MAX_PIXELS, f"an image of {found.size}"
    return "image"


def decode_inputs(numbers: list[int], seed: int) -> Tally:
    """Decode the inputs of these numbers."""
    gc.collect()  # what is freed later would hide what a decoder takes
    tally, before = Tally(), _memory("VmRSS")
    for number in numbers:
        name, data = make(number, seed)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        faulthandler.dump_traceback_later(4 * MAX_SECONDS, exit=True, file=_errors)
        started, wrong = time.perf_counter(), ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = decode_or_refuse(data)
        except Exception as error:  # noqa: BLE001 - the fault that the fuzzer looks for
            outcome, wrong = "failed", f"{type(error).__name__}: {error}"
        seconds, memory = time.perf_counter() - started, _memory("VmHWM") - before
        faulthandler.cancel_dump_traceback_later()
        if seconds > MAX_SECONDS or memory > MAX_MEMORY:
            wrong = wrong or f"{seconds:.1f} s, {memory:.0f} MB"
        tally.outcomes[outcome] += 1
        tally.slowest, tally.memory = max(tally.slowest, seconds), max(tally.memory, memory)
        if wrong:
            tally.failures.append(f"--seed {seed} --only {number} ({name}, {len(data)} bytes): {wrong}")
    return tally


def _memory(which: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{which}:")[2].split()[0]) / 1024


def _start_worker() -> None:
    global _errors
    valid_files()
    _errors = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff prints a message for every damaged file
    decode_or_refuse(valid_files()["webp"])
    limit = int(_memory("VmSize") * 2**20) + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run(inputs: int, seed: int, workers: int) -> Tally:
    """Decode that many inputs in processes with limited memory."""
    tally = Tally()
    batches = [list(range(start, min(start + BATCH, inputs))) for start in range(0, inputs, BATCH)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker) as pool:
        work = {pool.submit(decode_inputs, batch, seed): batch for batch in batches}
        for future, batch in work.items():
            try:
                tally.add(future.result())
            except BrokenProcessPool:
                tally.failures.append(f"the process ended in or near the inputs {batch[0]} to {batch[-1]}")
                break
    return tally


def main() -> int:
    """Run the command; return 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, help="decode this one input here, with a traceback")
    options = parser.parse_args()
    if options.only is not None:
        print(decode_or_refuse(make(options.only, options.seed)[1]))
        return 0
    started = time.perf_counter()
    tally = run(options.inputs, options.seed, options.workers)
    print(
        f"{tally.outcomes.total()} inputs in {time.perf_counter() - started:.0f} s: "
        f"{tally.outcomes['image']} images, "
        f"{tally.outcomes['refused']} refused with a sentence, {len(tally.failures)} failed; "
        f"slowest {tally.slowest:.2f} s, most memory {tally.memory:.0f} MB"
    )
    print("\n".join(tally.failures))
    return 1 if tally.failures or tally.outcomes.total() != options.inputs else 0


if __name__ == "__main__":
    sys.exit(main())
