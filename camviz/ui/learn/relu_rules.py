"""The ReLU rules of vanilla backpropagation, deconvnet and guided backpropagation, on the page Learn."""

import numpy as np
import pandas as pd  # Streamlit brings it
import streamlit as st
import torch
from numpy.typing import NDArray

from ... import render, text
from ...teaching.walkthrough_records import ReluWalkthrough
from ...teaching.walkthroughs import apply_relu_rules
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets.step_drawings import cells, over, side_by_side


def rectified(found: ReluWalkthrough, experiment: Experiment) -> None:
    """Draw what each of the three rules does to a small matrix and at a real ReLU, and what reaches the pixels."""
    _matrix()
    if found.feature_map is not None:
        st.caption(
            tr(
                "The backward pass starts from feature map {number} of layer {layer}, the strongest one, and shows "
                "what it responds to. In late layers the strides of the convolutions cover this with a grid.",
                number=found.feature_map,
                layer=escaped(experiment.layer),
            )
        )
    st.markdown(tr("**The same at a ReLU of this model**"))
    last = len(found.relus) - 1
    number = settings.setting("relu", last // 2, settings.Span(0, last), int)
    if last:
        st.slider(
            tr("Number of the ReLU, from the image (0) to the class"),
            0,
            last,
            key="relu",
            persist_state="session",
            help=tr("ReLU: max(0, x). It sets negative values to zero."),
        )
    relu = found.relus[int(number)]
    gradient, slope = relu.gradient, relu.slope
    outcomes = apply_relu_rules(gradient, slope)
    high = float(gradient.abs().max())
    side_by_side(
        (tr("Active in the forward pass (white)"), cells(slope.float(), "gray", 1.0)),
        (tr("Signal in the backward pass"), cells(gradient, "blue-red", high)),
        *(
            (tr("Passed on: {rule}", rule=tr_message(name)), cells(values, "blue-red", high))
            for name, values in outcomes.items()
        ),
    )
    shares = {name: text.percent(float((passed != 0).float().mean()), exact=True) for name, passed in outcomes.items()}
    st.caption(
        tr(
            "Channel {channel} of {count}, {rows} × {columns} cells; red raises the score, blue lowers it. "
            "Share of the cells that pass on a signal: {shares}.",
            channel=relu.channel,
            count=relu.channels,
            rows=gradient.shape[0],
            columns=gradient.shape[1],
            shares=tr(", ").join(f"{tr_message(name)} {tr_message(share)}" for name, share in shares.items()),
        )
    )
    attribution = found.result.cpu().numpy()
    st.markdown(tr("**Result at the pixels**"))
    side_by_side(
        (tr("In color"), render.color(attribution)),
        (tr("Magnitude"), render.colorize(render.grayscale(attribution), "gray")),
        (tr("Over the image"), over(experiment, attribution)),
    )


def _matrix() -> None:
    st.markdown(tr("**The three rules at a single ReLU.** Change the numbers."))
    up, down = st.columns(2)
    start = np.array([[1.0, -2.0, 3.0], [-1.0, 2.0, 0.5], [0.0, -0.5, 4.0]])
    above = np.array([[2.0, -1.0, -3.0], [3.0, 1.0, -2.0], [1.0, -4.0, 0.5]])
    with up:
        st.caption(tr("Input in the forward pass"))
        forward_input = _editor("came", start)
    with down:
        st.caption(tr("Signal in the backward pass"))
        backward_signal = _editor("back", above)
    outcomes = apply_relu_rules(torch.from_numpy(backward_signal), torch.from_numpy(forward_input) > 0)
    for place, (name, values) in zip(st.columns(len(outcomes)), outcomes.items(), strict=True):
        place.caption(tr_message(name).capitalize())
        place.dataframe(pd.DataFrame(values.numpy()), hide_index=True, width="stretch")


def _editor(key: str, start: NDArray[np.float64]) -> NDArray[np.float64]:
    table = st.data_editor(pd.DataFrame(start), hide_index=True, key=f"matrix.{key}", width="stretch")
    values: NDArray[np.float64] = np.nan_to_num(table.to_numpy(dtype=np.float64))
    return values
