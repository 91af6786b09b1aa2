"""What Explain shows beyond a map: fast against exact, and the predicted class at each place."""

from typing import Any

import streamlit as st

from ... import figures
from ...errors import CamvizError
from ...evaluation.rank_correlation import rank_correlation
from ...explanation.explanation import Explanation
from ...perturbation.occlusion import occlusion_maps
from ..inputs.experiment import Experiment
from ..results import explanations
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session.language import error_text, tr, tr_parts
from ..widgets import charts


def draw(e: Explanation, experiment: Experiment) -> None:
    """What a method can show beyond its map, each after a click."""
    if e.knobs.get("mode") == "fast":
        _fast_against_exact(e)
    if e.method == "occlusion":
        _class_map(e, experiment)


def _fast_against_exact(e: Explanation) -> None:
    question = e.question.replace(settings={**e.knobs, "mode": "exact"})
    try:
        exact = explanations.after_click(question, "exact", tr("Check the fast map against the exact one"))
    except CamvizError as error:
        st.error(error_text(error))
        return
    if exact is not None:
        agreement = rank_correlation(e.attribution, exact.attribution)
        st.caption(
            tr(
                "Fast against exact: rank correlation {agreement}, in {fast} s instead of {exact} s "
                "(1 = the same order of all places).",
                agreement=f"{agreement:.3f}",
                fast=f"{e.seconds:.1f}",
                exact=f"{exact.seconds:.1f}",
            )
        )


def _class_map(e: Explanation, experiment: Experiment) -> None:
    model, knobs = experiment.model, e.knobs

    def work(report: ReportProgress) -> Any:
        with tasks.in_queue(report) as progress:
            index = e.target if e.target is not None else experiment.predictions[0].index
            found = occlusion_maps(
                model.net, experiment.x, index, size=knobs["size"], stride=knobs["stride"], progress=progress
            )
        return found.category[0].cpu().numpy()

    what = tr("Show what it says with the square at each place")
    found = tasks.run("places", ("class map", e.question.key), e.seconds, what, work)
    if found is not None:
        st.plotly_chart(
            tr_parts(figures.class_map(found, model.categories, charts.ink())),
            alt=tr("The most probable class with the gray square over each place of the picture, as letters"),
            config={"displayModeBar": False},
        )
        st.caption(
            tr(
                "The most probable class while the gray square hides that place of the picture "
                "(Zeiler & Fergus, 2014). These are names, not amounts."
            )
        )
