"""How a method makes its map of the present picture, step by step, drawn from its own run."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ... import render
from ...registry import METHODS
from ...teaching import walkthrough_records as records
from ...teaching.walkthroughs import WALKTHROUGHS
from ...text import percent
from ..inputs.experiment import Experiment
from ..results.cost import explanation_seconds
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session import settings
from ..session.language import tr, tr_message
from ..widgets import charts
from ..widgets.step_drawings import bars, cells, chart, over, plain, side_by_side
from .relu_rules import rectified

SLOW = {"score_cam"}
COLORS = ("red", "green", "blue")


def draw(method: str, experiment: Experiment) -> None:
    """The steps of that method; a slow one waits for a click."""
    layer = METHODS[method].layer == "required"
    if layer and len(experiment.layers) != 1:
        st.info(tr("This method works at one layer of feature maps: choose one in the sidebar."))
        return
    question = experiment.question(METHODS[method])
    seconds = explanation_seconds(question) if method in SLOW else 0.0
    found = tasks.run(
        f"steps.{method}",
        ("walkthrough", question.key),
        seconds,
        tr("Run {method} step by step", method=tr_message(METHODS[method].title)),
        lambda report: _steps(method, experiment, report),
    )
    if found is not None:
        DRAWINGS[method](found, experiment)


def _steps(method: str, experiment: Experiment, report: ReportProgress) -> records.Walkthrough:
    model, walkthrough = experiment.model, WALKTHROUGHS[method]
    x = experiment.x
    takes, given = signature(walkthrough).parameters, dict[str, Any]()
    if "layer" in takes:
        given["layer"] = model.module(experiment.layer)
    if "layers" in takes:
        given["layers"] = {layer.name: model.module(layer.name) for layer in model.layers if layer.main}
    with tasks.in_queue(report) as progress:
        if "progress" in takes:
            given["progress"] = progress
        return walkthrough(model.net, x, experiment.score, **given)


# ------------------------------------------------------------------------------------------------ one for a method


def _vanilla(found: records.GradientWalkthrough, experiment: Experiment) -> None:
    gradient = found.result.cpu().numpy()
    side_by_side(
        (tr("1. The gradient, with its sign"), render.color(gradient)),
        (tr("2. Its size, over all colors"), render.colorise(render.grayscale(gradient), "gray")),
        (tr("3. Laid over the picture"), over(experiment, gradient)),
    )
    color, row, column = found.place
    st.markdown(
        tr(
            "**Is it true?** The steepest value belongs to {color} at row {row}, column {column}. Raised by {change}, "
            "it should move the score by {predicted}. A second pass says {real}.",
            color=tr(COLORS[color]),
            row=row,
            column=column,
            change=f"{found.change:.4f}",
            predicted=f"{found.predicted:+.6f}",
            real=f"{found.real:+.6f}",
        )
    )
    st.caption(tr("The two agree as far as the network is straight over so small a step; it bends at its ReLUs."))


def _weighted(found: records.GradCamWalkthrough, experiment: Experiment) -> None:
    st.markdown(
        tr("**1. The feature maps that add most**, of {count}: where each of them fires", count=len(found.weight))
    )
    high = float(found.activation.abs().max())
    names = [tr("Map {number}", number=number) for number in found.strongest]
    side_by_side(*zip(names, [cells(one, "cividis", high) for one in found.activation], strict=True))
    st.markdown(tr("**2. Their gradients**: where the class would gain (red) or lose (blue) if they grew"))
    steep = float(found.gradient.abs().max())
    side_by_side(*zip(names, [cells(one, "blue-red", steep) for one in found.gradient], strict=True))
    st.markdown(tr("**3. Each map's weight**: the mean of its gradient"))
    chart(bars(names, found.weight[list(found.strongest)].tolist()), tr("The weights, as bars"))
    st.markdown(tr("**4. The weighted sum grows**"))
    stops = list(found.sums)
    count = settings.setting("count", stops[-1], stops, int)
    st.select_slider(
        tr("Feature maps in the sum, the weightiest first"),
        stops,
        key="count",
        persist_state="session",
        help=tr("Add them one by one: the first few already make most of the map."),
    )
    total = found.sums[int(count)]
    everything = float(found.sums[stops[-1]].abs().max())
    side_by_side(
        (tr("Sum of {count}", count=count), cells(total, "blue-red", everything)),
        (tr("ReLU: only what speaks for it"), cells(total.relu(), "cividis", everything)),
        (tr("Upsampled, over the picture"), over(experiment, total.relu().cpu().numpy())),
    )


def _product(found: records.ProductWalkthrough, experiment: Experiment) -> None:
    lines, region, result = (one.cpu().numpy() for one in (found.lines, found.region, found.result))
    side_by_side(
        (tr("1. Guided backpropagation"), render.color(lines)),
        (tr("2. Grad-CAM, upsampled"), over(experiment, region)),
        (tr("3. Their product"), render.color(result)),
    )


def _masked(found: records.ScoreCamWalkthrough, experiment: Experiment) -> None:
    st.markdown(
        tr(
            "**1. What the network saw** through the {shown} stencils that kept the class alive best, of {count}",
            shown=len(found.strongest),
            count=len(found.weight),
        )
    )
    names = [
        tr("Score {score}, weight {weight}", score=f"{found.scores[c]:.2f}", weight=percent(float(found.weight[c])))
        for c in found.strongest
    ]
    side_by_side(*zip(names, [experiment.model.denormalize(one) for one in found.images], strict=True))
    st.markdown(tr("**2. The weights**: the scores, brought to a sum of 1 (softmax)"))
    ranked = found.weight.sort(descending=True).values[:30].tolist()
    chart(bars([str(place + 1) for place in range(len(ranked))], ranked), tr("The thirty greatest weights"))
    st.markdown(tr("**3. The weighted sum**"))
    side_by_side(
        (tr("Sum"), cells(found.total, "blue-red", float(found.total.abs().max()))),
        (tr("ReLU, upsampled, over the picture"), over(experiment, found.result.cpu().numpy())),
    )
    st.caption(tr("{count} passes of the network for this one map.", count=len(found.weight)))


def _path(found: records.PathWalkthrough, experiment: Experiment) -> None:
    names = [tr_message(percent(float(found.place[n]), 0, exact=True)) for n in found.shown]
    st.markdown(tr("**1. The picture fades in**"))
    side_by_side(*zip(names, [experiment.model.denormalize(one) for one in found.images], strict=True))
    st.markdown(tr("**2. The gradient at each step**: its size, on one scale"))
    high = float(found.gradients.quantile(0.99))
    side_by_side(*zip(names, [cells(one, "gray", high) for one in found.gradients], strict=True))
    st.markdown(tr("**3. The shares add up**"))
    total = found.added.cumsum(dim=0)
    figure = go.Figure()
    figure.add_scatter(x=found.place.tolist(), y=total.tolist(), mode="lines+markers", name=tr("sum so far"))
    rise = f"{found.rise:.3f}"
    note = tr("the score's rise, {rise}", rise=rise)
    figure.add_hline(y=found.rise, line_dash="dot", line_color=charts.ink(), annotation_text=note)
    plain(figure, tr("how far the picture is faded in"), tr("sum of the map so far"))
    chart(figure, tr("The sum of the map as the steps are added, and the rise of the score that it should reach"))
    st.markdown(
        tr(
            "**Complete?** The map adds up to {total}; the score rises by {rise} from the empty picture: {gap}.",
            total=f"{float(total[-1]):.3f}",
            rise=rise,
            gap=_gap(float(total[-1]), found.rise),
        )
    )
    result = found.result.cpu().numpy()
    side_by_side(
        (tr("The map, in color"), render.color(result)),
        (tr("Its size, over the picture"), over(experiment, result)),
    )


def _shares(found: records.RelevanceWalkthrough, experiment: Experiment) -> None:
    st.markdown(
        tr("**1. The bill goes down**: the relevance that arrives at each layer, from the class to the picture")
    )
    names = [tr("the score"), *reversed(found.layers), tr("the pixels")]
    sums = [found.score, *reversed(found.relevance), float(found.result.sum())]
    chart(bars(names, sums), tr("The sum of the relevance at each layer"))
    st.caption(
        tr(
            "The score is {score}; {arrives} arrive at the pixels. In a network without biases both would be equal: a "
            "bias takes its share of the bill, and nobody below pays it.",
            score=f"{found.score:.3f}",
            arrives=f"{sums[-1]:.3f}",
        )
    )
    result = found.result.cpu().numpy()
    st.markdown(tr("**2. What each pixel answers for**"))
    strength = np.abs(result).sum(axis=0)
    side_by_side(
        (
            tr("For (red) and against (blue)"),
            cells(found.result.sum(dim=0), "blue-red", float(np.quantile(strength, 0.99))),
        ),
        (tr("Over the picture"), over(experiment, result)),
    )


DRAWINGS: dict[str, Callable[[Any, Experiment], None]] = {
    "vanilla_backprop": _vanilla,
    "guided_backprop": rectified,
    "deconvnet": rectified,
    "grad_cam": _weighted,
    "guided_grad_cam": _product,
    "score_cam": _masked,
    "integrated_gradients": _path,
    "lrp": _shares,
}


def _gap(found: float, rise: float) -> str:
    if not rise:
        return tr("nothing to add up to")
    return tr("{gap} off", gap=tr_message(percent(abs(found - rise) / abs(rise), exact=True)))
