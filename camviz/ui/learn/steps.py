"""The steps by which a method computes its heatmap of the current image, drawn from a run of the method."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import streamlit as st

from ... import render
from ...errors import CamvizError
from ...registry import METHODS
from ...teaching import walkthrough_records as records
from ...teaching.walkthroughs import WALKTHROUGHS
from ...text import percent
from ..inputs.experiment import Experiment
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..widgets import charts
from ..widgets.step_drawings import cells, over, side_by_side
from .relu_rules import rectified

SLOW = {"score_cam"}
COLORS = ("red", "green", "blue")


def draw(method: str, experiment: Experiment) -> None:
    """Draw the steps of a method; a slow one waits for a click."""
    if METHODS[method].layer == "required" and len(experiment.layers) > 1:
        st.info(tr("These steps are of a single layer: on Explain, turn off 'Fuse several layers' in Settings."))
        return
    try:
        question = experiment.question(METHODS[method])
    except CamvizError as error:
        st.info(error_text(error))
        return
    seconds = cost.explanation_seconds(question) if method in SLOW else 0.0
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
    if "layer" in takes and experiment.layer:
        given["layer"] = model.module(experiment.layer)
    if "layers" in takes:
        given["layers"] = {layer.name: model.module(layer.name) for layer in model.layers if layer.main}
    with in_queue(report) as progress:
        if "progress" in takes:
            given["progress"] = progress
        return walkthrough(model.net, x, experiment.score, **given)


# ------------------------------------------------------------------------------------------------ one for a method


def _vanilla(found: records.GradientWalkthrough, experiment: Experiment) -> None:
    gradient = found.result.cpu().numpy()
    side_by_side(
        (tr("1. The gradient, with its sign"), render.color(gradient)),
        (tr("2. Its magnitude, over all colors"), render.colorize(render.grayscale(gradient), "gray")),
        (tr("3. Over the image"), over(experiment, gradient)),
    )
    color, row, column = found.place
    st.markdown(
        tr(
            "**Check.** The largest gradient is that of {color} at row {row}, column {column}. Increasing this "
            "value by {change} should change the score by {predicted}. A second forward pass gives {real}.",
            color=tr(COLORS[color]),
            row=row,
            column=column,
            change=f"{found.change:.4f}",
            predicted=f"{found.predicted:+.6f}",
            real=f"{found.real:+.6f}",
        )
    )
    st.caption(tr("The difference comes from ReLUs that switch on or off within this step."))


def _weighted(found: records.GradCamWalkthrough, experiment: Experiment) -> None:
    st.markdown(
        tr(
            "**1. The feature maps with the largest contribution**, of {count}: where each of them is active",
            count=len(found.weight),
        )
    )
    high = float(found.activation.abs().max())
    names = [tr("Feature map {number}", number=number) for number in found.strongest]
    side_by_side(*zip(names, [cells(one, "cividis", high) for one in found.activation], strict=True))
    st.markdown(tr("**2. Their gradients**: where the score grows (red) or falls (blue) with the activation"))
    steep = float(found.gradient.abs().max())
    side_by_side(*zip(names, [cells(one, "blue-red", steep) for one in found.gradient], strict=True))
    if len(found.gradient) and float((found.gradient - found.gradient[:, :1, :1]).abs().max()) <= 1e-5 * steep:
        st.caption(
            tr(
                "Each gradient is the same in all cells: after this layer the model only averages the cells and "
                "applies a linear layer. Here Grad-CAM equals CAM. At an earlier layer the gradients differ."
            )
        )
    st.markdown(tr("**3. The weight of each feature map**: the mean of its gradient"))
    charts.bars("weights", names, found.weight[list(found.strongest)].tolist(), tr("The weights, as bars"))
    st.markdown(tr("**4. The weighted sum**"))
    stops = list(found.sums)
    count = settings.setting("count", stops[-1], stops, int)
    st.select_slider(
        tr("Feature maps in the sum, largest contribution first"),
        stops,
        key="count",
        persist_state="session",
        help=tr("Add the feature maps one by one; the first few give most of the heatmap."),
    )
    total = found.sums[int(count)]
    everything = float(found.sums[stops[-1]].abs().max())
    side_by_side(
        (tr("Sum of {count}", count=count), cells(total, "blue-red", everything)),
        (tr("ReLU: only evidence for the class"), cells(total.relu(), "cividis", everything)),
        (tr("Upsampled, over the image"), over(experiment, total.relu().cpu().numpy())),
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
            "**1. The masked images** for the {shown} feature maps with the highest scores, of {count}",
            shown=len(found.strongest),
            count=len(found.weight),
        )
    )
    weights = [tr_message(percent(float(found.weight[c]))) for c in found.strongest]
    names = [
        tr("Score {score}, weight {weight}", score=f"{found.scores[c]:.2f}", weight=weight)
        for c, weight in zip(found.strongest, weights, strict=True)
    ]
    side_by_side(*zip(names, [experiment.model.denormalize(one) for one in found.images], strict=True))
    st.markdown(tr("**2. The weights**: softmax of the scores, with a sum of 1"))
    ranked = found.weight.sort(descending=True).values[:30].tolist()
    ranks = range(1, len(ranked) + 1)
    alt = tr("The thirty largest weights")
    charts.line_chart("weights", {alt: (ranks, ranked)}, tr("rank"), tr("weight"), alt, unit="number", low=0)
    st.markdown(tr("**3. The weighted sum**"))
    side_by_side(
        (tr("Sum"), cells(found.total, "blue-red", float(found.total.abs().max()))),
        (tr("ReLU, upsampled, over the image"), over(experiment, found.result.cpu().numpy())),
    )
    st.caption(tr("Forward passes for this heatmap: {count}.", count=len(found.weight)))


def _path(found: records.PathWalkthrough, experiment: Experiment) -> None:
    names = [tr_message(percent(float(found.place[n]), 0, exact=True)) for n in found.shown]
    st.markdown(tr("**1. The path from the baseline to the image**"))
    side_by_side(*zip(names, [experiment.model.denormalize(one) for one in found.images], strict=True))
    st.markdown(tr("**2. The gradient at each step**: its magnitude, on one scale"))
    high = float(found.gradients.quantile(0.99))
    side_by_side(*zip(names, [cells(one, "gray", high) for one in found.gradients], strict=True))
    st.markdown(tr("**3. The sum of the contributions**"))
    total = found.added.cumsum(dim=0)
    rise = f"{found.rise:.3f}"
    charts.line_chart(
        "sum",
        {tr("sum so far"): (found.place.tolist(), total.tolist())},
        tr("position on the path"),
        tr("sum of the heatmap so far"),
        tr("The sum of the heatmap as the steps are added, and the change of the score that it should reach"),
        level=(tr("change of the score, {rise}", rise=rise), found.rise),
    )
    st.markdown(
        tr(
            "**Completeness.** The heatmap sums to {total}; the score changes by {rise} from the baseline to "
            "the image: {gap}.",
            total=f"{float(total[-1]):.3f}",
            rise=rise,
            gap=_gap(float(total[-1]), found.rise),
        )
    )
    result = found.result.cpu().numpy()
    side_by_side(
        (tr("The heatmap, in color"), render.color(result)),
        (tr("Its magnitude, over the image"), over(experiment, result)),
    )


def _shares(found: records.RelevanceWalkthrough, experiment: Experiment) -> None:
    st.markdown(tr("**1. Relevance at each layer**, from the class to the image"))
    names = [tr("the score"), *reversed(found.layers), tr("the pixels")]
    sums = [found.score, *reversed(found.relevance), float(found.result.sum())]
    charts.bars("relevance", names, sums, tr("The sum of the relevance at each layer"))
    st.caption(
        tr(
            "The score is {score}; the relevance of all pixels sums to {arrives}. Without biases both would be "
            "equal: a positive bias absorbs a part of the relevance, and a negative bias adds to it, so a layer can "
            "hold more than the score.",
            score=f"{found.score:.3f}",
            arrives=f"{sums[-1]:.3f}",
        )
    )
    result = found.result.cpu().numpy()
    st.markdown(tr("**2. The relevance of each pixel**"))
    strength = np.abs(result).sum(axis=0)
    side_by_side(
        (
            tr("Positive (red) and negative (blue)"),
            cells(found.result.sum(dim=0), "blue-red", float(np.quantile(strength, 0.99))),
        ),
        (tr("Over the image"), over(experiment, result)),
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
        return tr("the score does not change")
    return tr("difference {gap}", gap=tr_message(percent(abs(found - rise) / abs(rise), exact=True)))
