"""`python -m tests.benchmarks.dream`: 128 steps of each synthesis beside as many bare forward and backward passes."""

import statistics
import time
from pathlib import Path

import torch

import camviz
from camviz.feature_visualization import SYNTHESES, synthesize

STEPS = 128
COFFEE = Path(__file__).parents[2] / "assets" / "samples" / "coffee.jpg"


def bare(model: camviz.Model, count: int) -> float:
    """Return the median seconds of `count` bare forward and backward passes to an input of 224 pixels."""
    x = model.preprocess(COFFEE).requires_grad_()
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        torch.autograd.grad(model.net(x)[0, 967], x)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    model = camviz.load_model("efficientnet_lite0")
    goals = {
        "activation_maximization": {"layer": "blocks.4", "channel": 3},
        "class_image": {"target": 967},
        "inversion": {"layer": "blocks.1", "image": COFFEE},
    }
    bare(model, 10)
    print(f"| {STEPS} steps of | time | in bare forward + backward passes, a step |\n|---|---|---|")
    for method, goal in goals.items():
        assert method in SYNTHESES
        before = bare(model, STEPS // 2)
        started = time.perf_counter()
        synthesize(model, method, steps=STEPS, **goal)
        taken = time.perf_counter() - started
        pass_ = (before + bare(model, STEPS // 2)) / 2
        print(f"| `{method}` | {taken:.1f} s | {taken / STEPS / pass_:.2f} |", flush=True)


if __name__ == "__main__":
    main()
