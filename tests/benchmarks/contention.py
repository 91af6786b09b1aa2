"""`python -m tests.benchmarks.contention`: computations alone, and beside a process that uses all processors.

`GOMP_SPINCOUNT=300000 python -m tests.benchmarks.contention` shows what CamViz's setting avoids.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import camviz
from camviz.runtime.openmp import SETTINGS

ROOT = Path(__file__).parents[2]
PROCESSORS = len(os.sched_getaffinity(0))
NETWORKS = {"efficientnet_lite0": "blocks.0", "resnet50": "layer1.0.conv1"}  # and the layer for Score-CAM
PHASE = 0.5  # seconds: a computation is repeated for so long, alone and beside the other process in turns

COMPETITORS = {
    "PyTorch": f"""
import torch
torch.set_num_threads({PROCESSORS})
x, weight = torch.randn(8, 64, 56, 56), torch.randn(64, 64, 3, 3)
print("ready", flush=True)
while True:
    torch.nn.functional.conv2d(x, weight)
""",
    "Python": f"""
import multiprocessing
def burn():
    while True:
        pass
for _ in range({PROCESSORS}):
    multiprocessing.get_context("fork").Process(target=burn).start()
print("ready", flush=True)
""",
}


@contextmanager
def competitor(name: str) -> Iterator[Callable[[bool], None]]:
    """Yield a function that lets a process which uses all processors run, or stops it; it is stopped at first."""
    usual = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    process = subprocess.Popen(
        [sys.executable, "-c", COMPETITORS[name]], stdout=subprocess.PIPE, env=usual, start_new_session=True
    )

    def send(number: int) -> None:
        os.killpg(process.pid, number)  # its children too

    try:
        assert process.stdout is not None
        process.stdout.readline()
        send(signal.SIGSTOP)
        yield lambda running: send(signal.SIGCONT if running else signal.SIGSTOP)
    finally:
        send(signal.SIGKILL)
        process.wait()


def computations(name: str) -> dict[str, Callable[[], object]]:
    """Return what is measured on a network; with few passes, as their number does not change the ratio."""
    model = camviz.load_model(name, weights="default" if "lite" in name else "random")
    image = ROOT / "assets" / "samples" / "coffee.jpg"
    settings = {
        "grad_cam": {},
        "integrated_gradients": {"steps": 8},
        "smooth_grad": {"samples": 8},
        "score_cam": {"layer": NETWORKS[name]},
        "occlusion": {"stride": 56},
    }
    return {key: lambda key=key, some=some: camviz.explain(model, image, key, **some) for key, some in settings.items()}


def seconds(run: Callable[[], object]) -> float:
    """Return the mean time of one run in a phase."""
    started, count = time.perf_counter(), 0
    while (taken := time.perf_counter() - started) < PHASE:
        run()
        count += 1
    return taken / count


def measure(run: Callable[[], object], let_run: Callable[[bool], None], repeats: int) -> tuple[float, float]:
    """Return the median times of a computation alone and beside the other process, taken in turns."""
    times: dict[bool, list[float]] = {False: [], True: []}
    for beside in [False, True] * repeats:
        let_run(beside)
        times[beside].append(seconds(run))
    let_run(False)
    return statistics.median(times[False]), statistics.median(times[True])


def table(name: str, repeats: int) -> None:
    """Print the table of one network."""
    runs = computations(name)
    for run in runs.values():
        run()
    print(f"\n### {name}\n\n| computation | beside | alone | beside it | ratio |\n|---|---|---|---|---|", flush=True)
    for other in COMPETITORS:
        with competitor(other) as let_run:
            for key, run in runs.items():
                alone, beside = measure(run, let_run, repeats)
                print(f"| {key} | {other} | {alone:.3g} s | {beside:.3g} s | {beside / alone:.2f} |", flush=True)


def main() -> None:
    """Measure each network in a process of its own, as the order of imports matters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=[*NETWORKS])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torch-first", action="store_true", help="import PyTorch before CamViz")
    given = parser.parse_args()
    start = "import torch; " * given.torch_first + "from tests.benchmarks import contention; "
    for name in given.networks:
        code = f"{start}contention.table({name!r}, {given.repeats})"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
