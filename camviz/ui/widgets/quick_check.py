"""Three metrics below a heatmap, after one click: deletion, insertion, similarity after randomization."""

from collections.abc import Sequence
from math import isnan

import streamlit as st

from ...errors import CamvizError
from ...evaluation.registry import METRICS
from ..results import metrics
from ..results.grid import Cell
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session.language import tr

THREE = {"deletion": "Deletion", "insertion": "Insertion", "randomization": "Similarity after randomization"}
BETTER = {"low": "lower is better", "high": "higher is better"}


def line(cell: Cell) -> str:
    """Return the known metrics of a heatmap in one line; empty if there are none."""
    found = {key: metrics.known(cell.experiment, cell.method, cell.knobs, METRICS[key]) for key in THREE}
    return " · ".join(
        f"{tr(THREE[key])} {tr('not available') if isnan(value) else format(value, '.2f')}"
        for key, value in found.items()
        if value is not None
    )


def ask(cells: Sequence[Cell], name: str) -> bool:
    """Compute the missing metrics of all cells after one click; return whether all are known.

    Finished numbers are kept after Cancel.
    """
    missing = [
        (cell, key)
        for cell in cells
        for key in THREE
        if metrics.known(cell.experiment, cell.method, cell.knobs, METRICS[key]) is None
    ]
    if missing:
        each = [metrics.seconds(cell.experiment, cell.method, cell.knobs, METRICS[key]) for cell, key in missing]
        seconds = max(sum(each), tasks.PATIENCE * 1.01)  # always after a click, however fast

        def work(report: ReportProgress) -> bool:
            for number, (cell, key) in enumerate(missing):
                before, part = sum(each[:number]), each[number]

                def share(done: float, text: str, before: float = before, part: float = part) -> None:
                    report(min(1.0, (before + done * part) / sum(each)), text)

                try:
                    metrics.number(cell.experiment, cell.method, cell.knobs, METRICS[key], share)
                except CamvizError:  # `line` shows that it is not available
                    metrics.keep(cell.experiment, cell.method, cell.knobs, METRICS[key], float("nan"))
            return True

        what = tr("Test this heatmap") if len(cells) == 1 else tr("Test all {count} heatmaps", count=len(cells))
        if not tasks.run(name, ("proof", tuple((cell.key, key) for cell, key in missing)), seconds, what, work):
            return False
    good = {key: tr(BETTER[METRICS[key].better]) for key in THREE}
    st.caption(
        tr(
            "Deletion: {deletion}; insertion: {insertion}; similarity after randomization: {randomization}. The "
            "page Evaluate explains these numbers and their limitations.",
            **good,
        )
    )
    return True


def show(cell: Cell) -> None:
    """Draw the button for one heatmap, then its metrics."""
    place = st.empty()
    if ask([cell], "proof"):
        place.markdown(line(cell))
