"""How a method makes its map of the present picture, step by step, drawn from its own run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd  # Streamlit brings it
import plotly.graph_objects as go
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import anatomy, export, figures, render
from ..models import Model
from ..registry import METHODS
from . import panels, results, state, tasks
from .controls import Experiment
from .language import said, t
from .tasks import Report

STRONGEST = 6  # feature maps that are shown
SLOW = {"score_cam"}
COLOURS = ("red", "green", "blue")


def draw(method: str, experiment: Experiment) -> None:
    """The steps of that method; a slow one waits for a click."""
    layer = METHODS[method].layer == "required"
    if layer and (not experiment.layer or "," in experiment.layer):
        st.info(t("This method works at one layer of feature maps: choose one in the sidebar."))
        return
    key = ("anatomy", *results.key_of(experiment, METHODS[method], {}))
    seconds = results.duration(experiment, METHODS[method], METHODS[method].settings({})) if method in SLOW else 0.0
    found = tasks.run(
        f"steps.{method}",
        key,
        seconds,
        t("Run {method} step by step", method=said(METHODS[method].title)),
        lambda report: _steps(method, experiment, report),
    )
    if found is not None:
        DRAWN[method](found, experiment)


def _steps(method: str, experiment: Experiment, report: Report) -> anatomy.Steps:
    model = experiment.model
    x = model.preprocess(experiment.picture.image, experiment.fit)
    given: dict[str, Any] = {}
    if METHODS[method].layer == "required":
        given["layer"] = model.module(experiment.layer)
    if method == "lrp":
        given["layers"] = {layer.name: model.module(layer.name) for layer in model.layers if layer.main}
    with tasks.turn(report) as progress:
        if METHODS[method].many_passes:
            given["progress"] = progress
        steps: anatomy.Steps = getattr(anatomy, f"of_{method}")(model.net, x, experiment.score, **given)
    return steps


# ------------------------------------------------------------------------------------------------ one for a method


def _vanilla(found: anatomy.Pixels, experiment: Experiment) -> None:
    gradient = found.result.cpu().numpy()
    _row(
        (t("1. The gradient, with its sign"), render.colour(gradient)),
        (t("2. Its size, over all colours"), render.colourise(render.grayscale(gradient), "gray")),
        (t("3. Laid over the picture"), _over(experiment, gradient)),
    )
    colour, row, column = found.place
    st.markdown(
        t(
            "**Is it true?** The steepest value belongs to {colour} at row {row}, column {column}. Raised by {change}, "
            "it should move the score by {predicted}. A second pass says {real}.",
            colour=t(COLOURS[colour]),
            row=row,
            column=column,
            change=f"{found.change:.4f}",
            predicted=f"{found.predicted:+.6f}",
            real=f"{found.real:+.6f}",
        )
    )
    st.caption(t("The two agree as far as the network is straight over so small a step; it bends at its ReLUs."))


def _rectified(found: anatomy.Rectified, experiment: Experiment) -> None:
    _matrix()
    st.markdown(t("**The same at a real ReLU of this network**"))
    last = len(found.bends) - 1
    number = state.setting("relu", last // 2, state.Span(0, last), int)
    if last:
        st.slider(
            t("Which ReLU, from the picture (0) to the class"),
            0,
            last,
            key="relu",
            persist_state="session",
            help=t("ReLU: the bend in the network, where what is negative becomes zero."),
        )
    bend = found.bends[int(number)]
    through = (bend.gradient * bend.slope).abs().sum(dim=(1, 2))
    channel = int(through.argmax())
    gradient, slope = bend.gradient[channel], bend.slope[channel]
    outcomes = anatomy.rules(gradient, slope)
    high = float(gradient.abs().max())
    _row(
        (t("Open on the way up (white)"), _cells(slope.float(), "gray", 1.0)),
        (t("What comes back from above"), _cells(gradient, "blue-red", high)),
        *(
            (t("Below it: {rule}", rule=said(name)), _cells(values, "blue-red", high))
            for name, values in outcomes.items()
        ),
    )
    shares = {name: figures.percent(float((passed != 0).float().mean())) for name, passed in outcomes.items()}
    st.caption(
        t(
            "Channel {channel} of {count}, {rows} x {columns} cells; red pulls the score up, blue down. Share of the "
            "cells that pass something on: {shares}.",
            channel=channel,
            count=len(bend.gradient),
            rows=gradient.shape[0],
            columns=gradient.shape[1],
            shares=t(", ").join(f"{said(name)} {said(share)}" for name, share in shares.items()),
        )
    )
    attribution = found.result.cpu().numpy()
    st.markdown(t("**What reaches the pixels**"))
    _row(
        (t("In colour"), render.colour(attribution)),
        (t("Its size"), render.colourise(render.grayscale(attribution), "gray")),
        (t("Over the picture"), _over(experiment, attribution)),
    )


def _matrix() -> None:
    st.markdown(t("**The three rules, on one small ReLU.** Change the numbers."))
    up, down = st.columns(2)
    start = np.array([[1.0, -2.0, 3.0], [-1.0, 2.0, 0.5], [0.0, -0.5, 4.0]])
    above = np.array([[2.0, -1.0, -3.0], [3.0, 1.0, -2.0], [1.0, -4.0, 0.5]])
    with up:
        st.caption(t("What came in on the way up"))
        came = _editor("came", start)
    with down:
        st.caption(t("What comes back from above"))
        back = _editor("back", above)
    outcomes = anatomy.rules(torch.from_numpy(back), torch.from_numpy(came) > 0)
    for place, (name, values) in zip(st.columns(len(outcomes)), outcomes.items(), strict=True):
        place.caption(said(name.capitalize()))
        place.dataframe(pd.DataFrame(values.numpy()), hide_index=True, width="stretch")


def _editor(key: str, start: NDArray[np.float64]) -> NDArray[np.float64]:
    table = st.data_editor(pd.DataFrame(start), hide_index=True, key=f"matrix.{key}", width="stretch")
    values: NDArray[np.float64] = np.nan_to_num(table.to_numpy(dtype=np.float64))
    return values


def _weighted(found: anatomy.Weighted, experiment: Experiment) -> None:
    order = found.order[:STRONGEST].tolist()
    st.markdown(
        t("**1. The feature maps that add most**, of {count}: where each of them fires", count=len(found.weight))
    )
    high = float(found.activation[order].abs().max())
    names = [t("Map {number}", number=number) for number in order]
    _row(*zip(names, [_cells(found.activation[c], "cividis", high) for c in order], strict=True))
    st.markdown(t("**2. Their gradients**: where the class would gain (red) or lose (blue) if they grew"))
    steep = float(found.gradient[order].abs().max())
    _row(*zip(names, [_cells(found.gradient[c], "blue-red", steep) for c in order], strict=True))
    st.markdown(t("**3. Each map's weight**: the mean of its gradient"))
    _chart(_bars(names, found.weight[order].tolist()), t("The weights, as bars"))
    st.markdown(t("**4. The weighted sum grows**"))
    stops = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n < len(found.weight)] + [len(found.weight)]
    count = state.setting("count", stops[-1], stops, int)
    st.select_slider(
        t("Feature maps in the sum, the weightiest first"),
        stops,
        key="count",
        persist_state="session",
        help=t("Add them one by one: the first few already make most of the map."),
    )
    total = found.sum_of(int(count))
    everything = float(found.sum_of(len(found.weight)).abs().max())
    _row(
        (t("Sum of {count}", count=count), _cells(total, "blue-red", everything)),
        (t("ReLU: only what speaks for it"), _cells(total.relu(), "cividis", everything)),
        (t("Upsampled, over the picture"), _over(experiment, total.relu().cpu().numpy())),
    )


def _product(found: anatomy.Product, experiment: Experiment) -> None:
    lines, region, result = (one.cpu().numpy() for one in (found.lines, found.region, found.result))
    _row(
        (t("1. Guided backpropagation"), render.colour(lines)),
        (t("2. Grad-CAM, upsampled"), _over(experiment, region)),
        (t("3. Their product"), render.colour(result)),
    )


def _masked(found: anatomy.Masked, experiment: Experiment) -> None:
    order = found.weight.argsort(descending=True)[:STRONGEST].tolist()
    model = experiment.model
    st.markdown(
        t(
            "**1. What the network saw** through the {shown} stencils that kept the class alive best, of {count}",
            shown=STRONGEST,
            count=len(found.weight),
        )
    )
    names = [
        t("Score {score}, weight {weight}", score=f"{found.scores[c]:.2f}", weight=f"{found.weight[c]:.1%}")
        for c in order
    ]
    _row(*zip(names, [_seen(found.pictures[c], model) for c in order], strict=True))
    st.markdown(t("**2. The weights**: the scores, brought to a sum of 1 (softmax)"))
    ranked = found.weight.sort(descending=True).values[:30].tolist()
    _chart(_bars([str(place + 1) for place in range(len(ranked))], ranked), t("The thirty greatest weights"))
    st.markdown(t("**3. The weighted sum**"))
    total = (found.weight[:, None, None] * found.activation).sum(dim=0)
    _row(
        (t("Sum"), _cells(total, "blue-red", float(total.abs().max()))),
        (t("ReLU, upsampled, over the picture"), _over(experiment, found.result.cpu().numpy())),
    )
    st.caption(t("{count} passes of the network for this one map.", count=len(found.weight)))


def _path(found: anatomy.Path, experiment: Experiment) -> None:
    picks = np.linspace(0, len(found.place) - 1, STRONGEST).round().astype(int).tolist()
    st.markdown(t("**1. The picture fades in**"))
    _row(*((f"{float(found.place[n]):.0%}", _seen(found.pictures[n], experiment.model)) for n in picks))
    st.markdown(t("**2. The gradient at each step**: its size, on one scale"))
    high = float(found.gradients[picks].quantile(0.99))
    _row(*((f"{float(found.place[n]):.0%}", _cells(found.gradients[n], "gray", high)) for n in picks))
    st.markdown(t("**3. The shares add up**"))
    total = found.added.cumsum(dim=0)
    figure = go.Figure()
    figure.add_scatter(x=found.place.tolist(), y=total.tolist(), mode="lines+markers", name=t("sum so far"))
    rise = f"{found.rise:.3f}"
    note = t("the score's rise, {rise}", rise=rise)
    figure.add_hline(y=found.rise, line_dash="dot", line_color=panels.ink(), annotation_text=note)
    _plain(figure, t("how far the picture is faded in"), t("sum of the map so far"))
    _chart(figure, t("The sum of the map as the steps are added, and the rise of the score that it should reach"))
    st.markdown(
        t(
            "**Complete?** The map adds up to {total}; the score rises by {rise} from the empty picture: {gap}.",
            total=f"{float(total[-1]):.3f}",
            rise=rise,
            gap=_gap(float(total[-1]), found.rise),
        )
    )
    result = found.result.cpu().numpy()
    _row(
        (t("The map, in colour"), render.colour(result)),
        (t("Its size, over the picture"), _over(experiment, result)),
    )


def _shares(found: anatomy.Shares, experiment: Experiment) -> None:
    st.markdown(t("**1. The bill goes down**: the relevance that arrives at each layer, from the class to the picture"))
    names = [t("the score"), *reversed(found.layers), t("the pixels")]
    sums = [found.score, *reversed(found.relevance), float(found.result.sum())]
    _chart(_bars(names, sums), t("The sum of the relevance at each layer"))
    st.caption(
        t(
            "The score is {score}; {arrives} arrive at the pixels. In a network without biases both would be equal: a "
            "bias takes its share of the bill, and nobody below pays it.",
            score=f"{found.score:.3f}",
            arrives=f"{sums[-1]:.3f}",
        )
    )
    result = found.result.cpu().numpy()
    st.markdown(t("**2. What each pixel answers for**"))
    strength = np.abs(result).sum(axis=0)
    _row(
        (
            t("For (red) and against (blue)"),
            _cells(found.result.sum(dim=0), "blue-red", float(np.quantile(strength, 0.99))),
        ),
        (t("Over the picture"), _over(experiment, result)),
    )


DRAWN: dict[str, Callable[[Any, Experiment], None]] = {
    "vanilla_backprop": _vanilla,
    "guided_backprop": _rectified,
    "deconvnet": _rectified,
    "grad_cam": _weighted,
    "guided_grad_cam": _product,
    "score_cam": _masked,
    "integrated_gradients": _path,
    "lrp": _shares,
}

# -------------------------------------------------------------------------------------------------------- pictures


def _row(*pictures: tuple[str, NDArray[np.uint8]]) -> None:
    grid = st.grid(max(3, len(pictures)), min_column_width=110)
    for name, picture in pictures:
        with grid.cell():
            st.image(export.png(picture), alt=name, width="stretch")
            st.caption(name)


def _cells(values: Tensor, colours: str, high: float) -> NDArray[np.uint8]:
    """Every cell as a square, (H, W, 3): coarse maps stay as coarse as they are."""
    plane = values.detach().cpu().numpy().astype(np.float64)
    scaled = plane / high if high else plane
    if colours == "blue-red":
        rgb = render.diverging(np.clip(scaled, -1, 1))
    else:
        rgb = render.colourise(np.clip(scaled, 0, 1), colours)
    times = max(1, 224 // max(plane.shape))
    return rgb.repeat(times, axis=0).repeat(times, axis=1)


def _over(experiment: Experiment, attribution: NDArray[np.float32]) -> NDArray[np.uint8]:
    view = experiment.model.view(experiment.picture.image, experiment.fit)
    return render.overlay(view, render.heatmap(attribution, view.shape[:2]))


def _seen(picture: Tensor, model: Model) -> NDArray[np.uint8]:
    """A network's input as a picture again."""
    return model.seen_in(picture)


def _bars(names: list[str], values: list[float]) -> go.Figure:
    figure = go.Figure(go.Bar(x=names, y=values, text=[f"{value:.3g}" for value in values], cliponaxis=False))
    return _plain(figure, "", "")


def _plain(figure: go.Figure, across: str, up: str) -> go.Figure:
    figure.update_xaxes(title=across, fixedrange=True, type="category" if not across else None)
    figure.update_yaxes(title=up, fixedrange=True)
    figure.update_layout(
        height=260,
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        paper_bgcolor=figures.CLEAR,
        plot_bgcolor=figures.CLEAR,
        font_color=panels.ink(),
        showlegend=False,
        dragmode=False,
    )
    return figure


def _chart(figure: go.Figure, alt: str) -> None:
    st.plotly_chart(figure, alt=alt, config={"displayModeBar": False})


def _gap(found: float, rise: float) -> str:
    return t("{gap} off", gap=f"{abs(found - rise) / abs(rise):.1%}") if rise else t("nothing to add up to")
