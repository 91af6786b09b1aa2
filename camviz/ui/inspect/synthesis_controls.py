"""The controls of a feature visualization, and the image during synthesis."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...feature_visualization import Synthesis, stored
from ...registry import SYNTHESES
from ..inputs.experiment import Experiment
from ..server import tasks
from ..session import settings
from ..session.language import error_text, sources, tr, tr_message
from ..widgets import method_picker
from .feature_maps import stored_jpeg
from .synthesis_request import RGB, SynthesisRequest, compute, expected_seconds, known

EVERY = 0.5  # seconds between two frames
GOALS = {"channel": "Channel", "class": "Class"}


def choose(experiment: Experiment, first_channel: Callable[[], int]) -> SynthesisRequest | None:
    """Draw the controls and return the request; None, with a message, if the model has no suitable layer.

    `first_channel()` is the channel that is maximized if none is chosen.
    """
    key = settings.setting("dream", "activation_maximization", SYNTHESES)
    st.selectbox(
        tr("Method"),
        SYNTHESES,
        format_func=lambda key: tr_message(SYNTHESES[key].title),
        key="dream",
        persist_state="session",
        help=tr("How the image is synthesized: from noise, or starting from the chosen image."),
    )
    method = SYNTHESES[key]
    st.caption(f"{tr_message(method.tooltip)} {sources(method)}")
    layer = experiment.layer
    channel, at_layer = None, method.layer != "none"
    if method.layer == "optional":
        goals = ("channel", "class") if layer else ("class",)
        at_layer = settings.setting("dream.for", goals[0], goals) == "channel"
        st.segmented_control(
            tr("Goal"),
            goals,
            format_func=lambda goal: tr(GOALS[goal]),
            key="dream.for",
            required=True,
            persist_state="session",
            help=tr("What is maximized: a channel of the chosen layer, or the chosen class."),
        )
    if at_layer and not layer:
        st.info(tr("This model has no layer with feature maps, which this method needs."))
        return None
    if at_layer and method.key != "inversion":
        optional = method.layer == "required"
        key, last = f"{method.key}.channel", experiment.model.layer(layer).channels - 1
        channel = settings.setting(key, None if optional else first_channel(), settings.Span(0, last, optional), int)
        st.number_input(
            tr("Channel of {layer}", layer=layer),
            0,
            last,
            value="min" if not optional else None,
            key=key,
            help=tr("0 to {last}.", last=last) + (tr(" Empty: whole layer.") if optional else ""),
            placeholder=tr("whole layer"),
            persist_state="session",
        )
    target = None if at_layer else experiment.score
    return SynthesisRequest(
        experiment, method, layer if at_layer else None, channel, target, method_picker.knobs(method)
    )


def result(request: SynthesisRequest) -> Synthesis | None:
    """Return the image, computed after a click with its progress shown; after Cancel the last frame stays."""
    if (found := known(request)) is not None:
        return found
    button, place = st.container(), st.empty()
    stopped: tuple[Any, int, int, RGB] | None = st.session_state.get("dream.stopped")
    if stopped and stopped[0] == request.key:
        with place.container():
            _last_frame(request, *stopped[1:])
    elif (jpeg := stored_image(request)) is not None:
        with place.container():
            st.image(jpeg, alt=tr("Stored image for {goal}", goal=request.goal), width=2 * stored.SIZE)
            st.caption(
                tr(
                    "A stored image: {steps} steps, {size} × {size} pixels. The button computes it with your settings, "
                    "{height} × {width} pixels.",
                    steps=stored.STEPS,
                    size=stored.SIZE,
                    height=request.experiment.model.input_size[0],
                    width=request.experiment.model.input_size[1],
                )
            )
    else:
        place.info(tr("No image yet: choose a goal, and press the button. You can cancel at any time."))
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
            tr("Synthesize the image"),
            lambda report: compute(request, report, show, "Step {done} of {total}, {left}"),
            ask="always",
            keeps=tr("Keeps the image of the last step."),
            place=button,
        )
    except CamvizError as error:
        place.error(error_text(error))
        return None
    if found is not None:
        st.session_state.pop("dream.stopped", None)
        place.empty()
    return found


def stored_image(request: SynthesisRequest) -> bytes | None:
    """Return the stored image of the request's channel as a JPEG; None if there is none or a setting differs."""
    if request.channel is None or request.layer is None or request.method.key != "activation_maximization":
        return None
    if dict(request.knobs) != request.method.settings({}):
        return None
    return stored_jpeg(request.experiment.model, request.layer, request.channel)


def _last_frame(request: SynthesisRequest, done: int, total: int, frame: RGB) -> None:
    st.image(encode.jpeg(frame), alt=_at_step(request, done), width="stretch")
    st.caption(tr("Stopped at step {done} of {total}.", done=done, total=total))
    st.download_button(
        tr("Download image (PNG)"),
        partial(encode.png, frame),
        "camviz-visualization.png",
        "image/png",
        on_click="ignore",
        key="dream.png",
    )


def _at_step(request: SynthesisRequest, done: int) -> str:
    return tr("Image for {goal} at step {step}", goal=request.goal, step=done)
