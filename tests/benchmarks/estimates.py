"""`python -m tests.benchmarks.estimates`: the time that the pages announce for a computation beside the time it took.

Time of the computing thread, so that other programs do not count. Names after the command choose cases by their words.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from camviz import METHODS
from camviz.feature_visualization import SYNTHESES
from camviz.ui.server import singletons, tasks

ROOT = Path(__file__).parents[2]
SLOW = ("is_cam", "ss_cam")  # minutes at the last layer: they mask each channel many times
LEAGUE = {
    "test": "ranking",
    "ranking_methods": "grad_cam,guided_backprop,smooth_grad",
    "metrics": "deletion,insertion",
    "images": "sample:coffee,sample:koala,sample:panda,sample:macaw",
}
CASES: list[tuple[str, str, dict[str, str]]] = [
    *(
        (f"method {key}", "explain", {"method": key, **({"layer": "blocks.0"} if key in SLOW else {})})
        for key, one in METHODS.items()
        if one.many_passes
    ),
    ("method occlusion, stride 8", "explain", {"method": "occlusion", "occlusion.stride": "8"}),
    ("method rise, 1000 masks", "explain", {"method": "rise", "rise.samples": "1000"}),
    ("method score_cam at blocks.2", "explain", {"method": "score_cam", "layer": "blocks.2"}),
    ("Dataset, 12 images", "dataset", {}),
    ("Dataset, 12 images", "dataset", {"method": "ablation_cam"}),
    ("one layer", "_inspect", {"layer": "blocks.4"}),
    *((f"synthesis {key}", "_inspect", {"inside": "visualization", "dream": key}) for key in SYNTHESES),
    ("Evaluate", "evaluate", {}),
    ("Evaluate", "evaluate", {"test": "randomization"}),
    ("Evaluate", "evaluate", {"test": "randomization", "method": "smooth_grad"}),
    ("Evaluate", "evaluate", {"test": "classes"}),
    ("Evaluate", "evaluate", {"test": "pointing"}),
    ("league", "evaluate", LEAGUE),
    ("Learn", "learn", {"part": "methods", "chapter": "score_cam"}),
    ("Learn", "learn", {"part": "methods", "chapter": "guided_backprop"}),
]

LEFT_OUT = ("proof", "dream.depths")  # repeat other rows for many heatmaps or layers

Row = tuple[str, float, float]  # what a button says, the seconds that it announces, and those that it took


def recorded(rows: list[Row]) -> Callable[..., Any]:
    """Return `tasks.run` without questions, which adds a row for every computation."""
    original = tasks.run

    def run(name: str, key: Any, seconds: float, what: str, work: Callable[..., Any], **options: Any) -> Any:
        if name in LEFT_OUT:
            return None

        def timed(report: Any) -> Any:
            started = time.thread_time()
            try:
                return work(report)
            finally:
                rows.append((what, seconds, time.thread_time() - started))

        return original(name, key, seconds, what, timed, **{**options, "ask": "never"})

    return run


def visit(page: str, link: dict[str, str]) -> list[Row]:
    """Open a page of a server that knows nothing yet; return its computations."""
    singletons.clear_singletons()
    rows: list[Row] = []
    original, tasks.run = tasks.run, recorded(rows)
    try:
        app = AppTest.from_file(ROOT / "app.py", default_timeout=600).run()
        rows.clear()
        if page != "explain":
            app.switch_page(f"pages/{page}.py")
            del app.session_state["_page"]  # as if the link had led here at once
        for key, value in link.items():
            app.query_params[key] = value
        app.run()
    finally:
        tasks.run = original
    assert not app.exception, app.exception
    return rows


def main(words: list[str]) -> None:
    """Print the table."""
    print("| page | computation | estimated | measured | estimated / measured |\n|---|---|---|---|---|")
    for title, page, link in CASES:
        if words and not any(word in title for word in words):
            continue
        for what, announced, took in visit(page, link):
            if max(announced, took) > 0.05:
                print(f"| {title} | {what} | {announced:.2f} s | {took:.2f} s | {announced / took:.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
