"""`python -m tests.benchmarks.many`: Grad-CAM of a folder compared with bare decoding and forward passes; memory."""

import argparse
import contextlib
import io
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image, ImageOps

import camviz
from camviz.__main__ import main

SAMPLES = sorted((Path(__file__).parents[2] / "assets" / "samples").glob("*.jpg"))
BATCH = 8


def fill(folder: Path, count: int) -> list[Path]:
    """Write `count` different photographs: the samples, shifted and mirrored."""
    files = []
    for number in range(count):
        image = Image.open(SAMPLES[number % len(SAMPLES)])
        shift = number // len(SAMPLES)
        image = image.crop((shift, 0, image.width, image.height))
        files.append(folder / f"{number:05d}.jpg")
        (ImageOps.mirror(image) if number % 2 else image).save(files[-1], quality=92)
    return files


def bare(model: camviz.Model, files: list[Path]) -> float:
    """Return the seconds for decoding and batched forward passes alone."""
    started = time.perf_counter()
    with torch.no_grad():
        for start in range(0, len(files), BATCH):
            model.net(torch.cat([model.preprocess(file) for file in files[start : start + BATCH]]))
    return time.perf_counter() - started


def ours(folder: Path, out: Path) -> float:
    """Return the seconds for the whole command: maps, overlays, table and contact sheets."""
    sys.argv = ["camviz", "explain", str(folder), "--methods", "grad_cam", "--out", str(out), "--batch", str(BATCH)]
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit):
            main()
    return time.perf_counter() - started


def speed(count: int, repeats: int) -> None:
    """Print both speeds and their ratio, in turns."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        files = fill(folder, count)
        model = camviz.models.shared_model("efficientnet_lite0")  # loaded beforehand, for both
        bare(model, files[: 2 * BATCH])
        for turn in range(repeats):
            first, second = bare(model, files), ours(folder, Path(place) / f"out{turn}")
            rates = f"bare {count / first:.1f} images/s, camviz {count / second:.1f} images/s"
            print(f"{rates}, ratio {first / second:.2f}", flush=True)


def memory(counts: list[int]) -> None:
    """Print the peak memory of the command for folders of several sizes, each in a separate process."""
    for count in counts:
        print(
            subprocess.run(
                [sys.executable, "-m", __spec__.name, "--peak", str(count)], check=True, text=True, capture_output=True
            ).stdout.strip(),
            flush=True,
        )


def peak(count: int) -> None:
    """Print the peak memory of this process for a folder of that size."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        folder.mkdir()
        fill(folder, count)
        ours(folder, Path(place) / "out")
    print(f"{count} images: at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[50, 200])
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        peak(given.peak)
    else:
        speed(given.images, given.repeats)
        memory(given.memory)
