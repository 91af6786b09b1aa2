"""Further results of some methods on the page Explain: fast against exact heatmaps, the class map of occlusion."""

from typing import Any

import streamlit as st

from ... import figures
from ...errors import CamvizError
from ...evaluation.rank_correlation import rank_correlation
from ...explanation.explanation import Explanation
from ...perturbation.occlusion import occlusion_maps
from ..inputs.experiment import Experiment
from ..results import cost, explanations
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..session.language import error_text, tr
from ..widgets import charts


def draw(e: Explanation, experiment: Experiment) -> None:
    """Draw the further results of a method, each after a click."""
    if e.knobs.get("mode") == "fast":
        _fast_against_exact(e)
    if e.method == "occlusion":
        _class_map(e, experiment)


def _fast_against_exact(e: Explanation) -> None:
    question = e.question.replace(settings={**e.knobs, "mode": "exact"})
    try:
        exact = explanations.after_click(question, "exact", tr("Compare with the exact heatmap"))
    except CamvizError as error:
        st.error(error_text(error))
        return
    if exact is not None:
        agreement = rank_correlation(e.attribution, exact.attribution)
        st.caption(
            tr(
                "Rank correlation of the fast and the exact heatmap: {agreement} (1 = same order of all "
                "places). Fast: {fast} s, exact: {exact} s.",
                agreement=f"{agreement:.3f}",
                fast=f"{e.seconds:.1f}",
                exact=f"{exact.seconds:.1f}",
            )
        )


def _class_map(e: Explanation, experiment: Experiment) -> None:
    model, knobs = experiment.model, e.knobs

    def work(report: ReportProgress) -> Any:
        with in_queue(report) as progress:
            index = e.target if e.target is not None else experiment.predictions[0].index
            found = occlusion_maps(
                model.net, experiment.x, index, size=knobs["size"], stride=knobs["stride"], progress=progress
            )
        return found.category[0].cpu().numpy()

    what = tr("Show the predicted class for each position of the square")
    found = tasks.run("places", ("class map", e.question.key), cost.explanation_seconds(e.question), what, work)
    if found is not None:
        charts.matrix(
            "classes",
            figures.class_map(found, model.categories),
            tr("The predicted class for each position of the gray square, as letters"),
        )
        st.caption(
            tr(
                "The class predicted while the gray square hides that part of the image (Zeiler & Fergus, "
                "2014). The letters stand for classes, not for amounts."
            )
        )
