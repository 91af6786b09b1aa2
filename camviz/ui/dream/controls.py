"""What the Dream page asks for, and the picture while it grows."""

import time
from functools import partial
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...feature_visualization import Synthesis
from ...registry import SYNTHESES
from ..inputs.experiment import Experiment
from ..server import tasks
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..widgets import method_picker
from .synthesis_request import RGB, SynthesisRequest, compute, expected_seconds, known

EVERY = 0.5  # seconds from frame to frame


def choose(experiment: Experiment) -> SynthesisRequest | None:
    """The controls, and what they ask for; None with a word where the network lacks what it takes."""
    key = settings.setting("dream", "activation_maximization", SYNTHESES)
    st.selectbox(
        tr("Method"),
        SYNTHESES,
        format_func=lambda key: tr_message(SYNTHESES[key].title),
        key="dream",
        persist_state="session",
        help=tr("How a picture is made for the network: from noise, or out of the picture of the sidebar."),
    )
    method = SYNTHESES[key]
    st.caption(f"{tr_message(method.tooltip)} [{tr('Paper')}]({method.paper})")
    layer = experiment.layer
    channel, at_layer = None, method.layer != "none"
    if method.layer == "optional":
        goals = ("a channel", "the class") if layer else ("the class",)
        at_layer = settings.setting("dream.for", goals[0], goals) == "a channel"
        st.segmented_control(
            tr("Made for"),
            goals,
            format_func=tr,
            key="dream.for",
            required=True,
            persist_state="session",
            help=tr("A channel of the sidebar's layer, or the sidebar's class: what the picture is to excite."),
        )
    if at_layer and not layer:
        st.info(tr("This network has no layer of feature maps, which this method needs."))
        return None
    if at_layer and method.key != "inversion":
        optional = method.layer == "required"
        key, last = f"{method.key}.channel", experiment.model.layer(layer).channels - 1
        channel = settings.setting(key, None if optional else 0, settings.Span(0, last, optional), int)
        st.number_input(
            tr("Channel of {layer}", layer=layer),
            0,
            last,
            value="min" if not optional else None,
            key=key,
            help=tr("0 to {last}.", last=last) + (tr(" Empty: the whole layer.") if optional else ""),
            placeholder=tr("the whole layer"),
            persist_state="session",
        )
    target = None if at_layer else experiment.score
    return SynthesisRequest(
        experiment, method, layer if at_layer else None, channel, target, method_picker.knobs(method)
    )


def result(request: SynthesisRequest) -> Synthesis | None:
    """The image: from before, or made after a click, shown as it grows; after Cancel its last frame stays."""
    if (found := known(request)) is not None:
        return found
    button, place = st.container(), st.empty()
    stopped: tuple[Any, int, int, RGB] | None = st.session_state.get("dream.stopped")
    if stopped and stopped[0] == request.key:
        with place.container():
            _last_frame(request, *stopped[1:])
    else:
        place.info(tr("No picture yet: choose what it is made for, and press the button. You can stop it at any time."))
    shown = 0.0

    def show(done: int, total: int, frame: RGB) -> None:
        nonlocal shown
        st.session_state["dream.stopped"] = request.key, done, total, frame
        if time.monotonic() - shown > EVERY:
            shown = time.monotonic()
            place.image(encode.jpeg(frame), alt=_at_step(request, done), width="stretch")

    try:
        found = tasks.run(
            "dream",
            request.key,
            expected_seconds(request),
            tr("Make the picture"),
            lambda report: compute(request, report, show, "Step {done} of {total}, {left}"),
            ask="always",
            keeps=tr("Keeps the picture as it is then."),
            place=button,
        )
    except CamvizError as error:
        place.error(error_text(error))
        return None
    if found is not None:
        st.session_state.pop("dream.stopped", None)
        place.empty()
    return found


def _last_frame(request: SynthesisRequest, done: int, total: int, frame: RGB) -> None:
    st.image(encode.jpeg(frame), alt=_at_step(request, done), width="stretch")
    st.caption(tr("Stopped at step {done} of {total}.", done=done, total=total))
    st.download_button(
        tr("Picture (PNG)"),
        partial(encode.png, frame),
        "camviz-dream.png",
        "image/png",
        on_click="ignore",
        key="dream.png",
    )


def _at_step(request: SynthesisRequest, done: int) -> str:
    return tr("The picture for {goal} at step {step}", goal=request.goal, step=done)
