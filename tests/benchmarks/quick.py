"""The short form of `make bench`, for a GPU: each method beside its quickest peer, in the same precision, in minutes.

Exact: TF32 is off for the peers. Fast: it is on, and CamViz computes in its mode "fast".
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.backends import cudnn

import camviz
from camviz.runtime.devices import synchronize
from camviz.runtime.noise import normal_noise
from camviz.runtime.precision import MODES, Mode, computing

Run = Callable[[], Any]
Rows = Callable[[camviz.Model, Tensor], Iterator[tuple[str, dict[str, Run]]]]

# Rows of the long table, by the first word of their names, and the time that is aimed at, in times of the quickest
# peer: as long for methods of one or two passes, half as long for those of many.
GOALS = {
    "vanilla_backprop": 1.0,
    "guided_backprop": 1.0,
    "grad_cam": 1.0,
    "layer_cam": 1.0,
    "score_cam": 0.5,
    "ablation_cam": 0.5,
    "integrated_gradients": 0.5,
    "smooth_grad": 0.5,
    "occlusion": 0.5,
}
BARE_GOAL = 1.3  # of Grad-CAM, in bare forward passes
LONGEST = 1.5  # seconds of repeats for one row
REPEATS = 9


@contextmanager
def precision(mode: Mode) -> Iterator[None]:
    """Let CamViz compute in a mode inside the context, and torch in the precision that belongs to it on CUDA."""
    matmul = torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = mode == "fast"
    try:
        with computing(mode):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def tables(chosen: argparse.Namespace, load: Callable[..., tuple[camviz.Model, Tensor]], rows: Rows) -> None:
    """Print a table for each network, then how many goals are met."""
    started, met = time.perf_counter(), []
    for name in chosen.networks:
        model, x = load(name, chosen.device)
        met += table(model, x, rows(model, x), chosen.only, min(REPEATS, chosen.repeats))
    print(f"\n{sum(met)} of {len(met)} goals met; {time.perf_counter() - started:.0f} s.")


def table(
    model: camviz.Model, x: Tensor, rows: Iterator[tuple[str, dict[str, Run]]], only: str, most: int
) -> Iterator[bool]:
    """Print the table of one network; yield whether each goal is met."""

    def forward() -> None:
        with torch.no_grad():
            model.net(x)

    drawn = measure({"noise": lambda: normal_noise(0, range(16), x.shape[1:], x)}, model.device, most)["noise"]
    print(f"\n### {model.name}\n\nNoise of 16 images: {drawn * 1e3:.3g} ms.\n")
    print("| method | mode | CamViz | in bare forwards | quickest peer | CamViz / peer | goal | met | fast - exact |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for row, runs in rows:
        if (key := row.replace(",", "").split()[0]) not in GOALS or only not in row:
            continue
        ours = next(run for who, run in runs.items() if who in ("camviz", "camviz exact"))
        peers = {who: run for who, run in runs.items() if not who.startswith("camviz")}
        maps = {}
        for mode in MODES if camviz.METHODS[key].many_passes else MODES[:1]:
            with precision(mode):
                maps[mode] = ours()
                seconds = measure({"bare": forward, "camviz": ours, **peers}, model.device, most)
            forwards = seconds["camviz"] / seconds["bare"]
            peer = min(peers, key=lambda who: seconds[who])
            ratio = seconds["camviz"] / seconds[peer]
            met = ratio <= GOALS[key] and (key != "grad_cam" or forwards <= BARE_GOAL)
            goal = f"{GOALS[key]}" + (f"; {BARE_GOAL} forwards" if key == "grad_cam" else "")
            print(
                f"| {row} | {mode} | {seconds['camviz'] * 1e3:.3g} ms | {forwards:.2f} "
                f"| {peer} {seconds[peer] * 1e3:.3g} ms | {ratio:.2f} | {goal} | {'yes' if met else 'no'} "
                f"| {difference(maps) if mode == 'fast' else ''} |",
                flush=True,
            )
            yield met


def difference(maps: Mapping[Mode, Tensor]) -> str:
    """Return how far the fast map is from the exact one, as a share of its length."""
    return f"{float((maps['fast'] - maps['exact']).norm() / maps['exact'].norm()):.1%}"


def measure(runs: Mapping[str, Run], device: torch.device, most: int) -> dict[str, float]:
    """Return the median seconds of each, taken in turns, after one run that is not counted."""
    seconds: dict[str, list[float]] = {who: [] for who in runs}
    started = time.perf_counter()
    for count in range(most + 1):
        for who, run in runs.items():
            synchronize(device)
            begun = time.perf_counter()
            run()
            synchronize(device)
            seconds[who].append(time.perf_counter() - begun)
        if count and time.perf_counter() - started > LONGEST:
            break
    return {who: statistics.median(taken[1:]) for who, taken in seconds.items()}
