"""`python -m tests.benchmarks.modes`: speed of the mode "fast", and the difference of its maps from the exact ones."""

import argparse
import statistics
from pathlib import Path
from typing import Any

import camviz
from camviz.evaluation.rank_correlation import rank_correlation
from camviz.models import available_devices
from camviz.runtime.devices import stopwatch
from camviz.scores import logit

IMAGE = Path(__file__).parents[2] / "assets" / "samples" / "coffee.jpg"
CLASS = 967
# Methods with few passes, so that a run takes about a second.
RUNS: dict[str, dict[str, Any]] = {
    "score_cam": {"layer": "blocks.2"},
    "occlusion": {"size": 32, "stride": 32},
    "rise": {"masks": 32},
    "lime": {"samples": 32},
    "kernel_shap": {"samples": 32},
    "integrated_gradients": {"steps": 8},
    "smooth_grad": {"samples": 8},
}


def main() -> None:
    """Print one line for each method, of EfficientNet-Lite0 on one image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=[*RUNS])
    parser.add_argument("--device", default="cpu", choices=available_devices())
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    model = camviz.load_model("efficientnet_lite0", device=chosen.device)
    x, clock = model.preprocess(IMAGE), stopwatch(model.device)
    print("| method | exact | fast | exact / fast | difference of the maps | rank correlation |")
    print("|---|---|---|---|---|---|", flush=True)
    for key in chosen.methods:
        seconds: dict[str, list[float]] = {"exact": [], "fast": []}
        maps = {}
        for _ in range(chosen.repeats + 1):
            for mode, taken in seconds.items():
                begun = clock()
                maps[mode] = camviz.METHODS[key](model, x, logit(CLASS), mode=mode, **RUNS[key])
                taken.append(clock() - begun)
        exact, fast = (statistics.median(taken[1:]) for taken in seconds.values())
        difference = float((maps["fast"] - maps["exact"]).norm() / maps["exact"].norm())
        agreement = rank_correlation(*(maps[mode][0].cpu().numpy() for mode in ("fast", "exact")))
        print(
            f"| `{key}` | {exact:.3g} s | {fast:.3g} s | {exact / fast:.2f} | {difference:.1%} | {agreement:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
