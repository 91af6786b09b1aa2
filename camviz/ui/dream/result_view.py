"""A finished picture on the Dream page: what it says, what it does not say, and what can be taken away."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st
from PIL import Image
from plotly import graph_objects as go

from ... import encode, figures, text
from ...feature_visualization import Synthesis
from ...feature_visualization.animation import gif, webp
from ...feature_visualization.inversion import correlation
from ...models import Prediction
from ...render import minmax
from ...scores import contrast
from ..session import settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from .synthesis_request import RGB, SynthesisRequest


def show(s: Synthesis, request: SynthesisRequest) -> None:
    """The finished picture, beside the one that it was made from, if any."""
    alt = tr("{method}: the picture for {goal}", method=tr_message(request.method.title), goal=request.goal)
    if s.method == "class_image":
        strong = settings.setting("dream.contrast", True, (False, True), lambda text: text != "0", lambda _: "0")
        picture = stretched(s.picture) if strong else s.picture
        st.image(encode.png(picture), alt=alt, width="stretch")
        st.toggle(
            tr("Stretch the contrast"),
            key="dream.contrast",
            help=tr("For our eyes: the network saw the paler picture, which is also the one to take away."),
            persist_state="session",
        )
        return
    if not request.of_picture:
        st.image(encode.png(s.picture), alt=alt, width="stretch")
        return
    before, after = st.columns(2)
    view = request.experiment.view
    seen = tr("{picture}, as the network sees it", picture=request.experiment.image.name)
    before.image(encode.jpeg(view), alt=seen, width="stretch")
    before.caption(tr("The picture"))
    after.image(encode.png(s.picture), alt=alt, width="stretch")
    how = ""
    if s.method == "inversion":
        how = tr(", correlation {correlation}", correlation=f"{correlation(view, s.picture):.2f}")
    after.caption(tr("{method} of {goal}{how}", method=tr_message(request.method.title), goal=request.goal, how=how))


def stretched(picture: RGB) -> RGB:
    """A picture (H, W, 3) with its contrast stretched over the whole range, all but its 1% most extreme values."""
    low, high = np.percentile(picture, (0.5, 99.5))
    return (minmax(picture.astype(np.float32), float(low), float(high)) * 255).round().astype(np.uint8)


def reading(s: Synthesis, request: SynthesisRequest) -> str:
    """What the picture says, in plain words."""
    if s.method == "deep_dream":
        return tr(
            "Whatever {goal} found a trace of in the picture was made stronger, again and again.", goal=request.goal
        )
    if s.method == "inversion":
        return tr(
            "To {goal} both pictures look alike to at least {share}. What you still recognize, the network still knows "
            "at this depth.",
            goal=request.goal,
            share=text.percent(max(0.0, 1 - s.objective[-1]), 0, exact=True),
        )
    if s.channel is not None:
        return tr(
            "Patterns like these excite {goal} more than anything else that the search came upon.", goal=request.goal
        )
    return tr(
        "Patterns like these raise the score of {goal} more than anything else that the search came upon.",
        goal=request.goal,
    )


def caution(s: Synthesis) -> str:
    """What the picture does not say."""
    if s.weights.is_random:
        return tr("This network is untrained, so whatever the picture shows was not learned.")
    if s.method == "deep_dream":
        return tr("What appears was learned from other pictures: it was not hidden in this one.")
    if s.method == "inversion":
        return tr(
            "What is missing may not be lost: the search ended before it had found everything, and the later the layer "
            "is, the less it finds."
        )
    if s.channel is not None:
        return tr(
            "It does not say that the channel stands for one thing, nor that photographs excite it by the same: "
            "another seed gives another picture."
        )
    return tr(
        "It is not what the network remembers of the class, and no photograph looks like it: a picture can be "
        "noise to us and certain to the network."
    )


def predictions(picture: RGB, request: SynthesisRequest) -> tuple[Prediction, ...]:
    """What the network says of a synthesized picture, exactly as it was made."""
    return request.experiment.model.predict(Image.fromarray(picture), 5, "stretch")


def says(found: Sequence[Prediction]) -> None:
    """The best classes as a list."""
    lines = [f"- **{tr_message(text.percent(one.probability))}** {escaped(tr_message(one.label))}" for one in found]
    st.markdown("\n".join(lines))


def curve(s: Synthesis, ink: str | None = None) -> go.Figure:
    """The objective step by step."""
    falls = s.method == "inversion"
    name = tr("what differs (falls)") if falls else tr("excitement (rises)")
    name = tr("excitement (rises at each size)") if s.method == "deep_dream" else name
    figure = go.Figure(
        go.Scatter(
            x=list(range(1, len(s.objective) + 1)),
            y=s.objective,
            mode="lines",
            line={"width": 2, "color": "#4393c3"},
            hovertemplate=tr("step") + " %{x}: %{y:.3g}<extra></extra>",
        )
    )
    figure.update_layout(
        height=220,
        paper_bgcolor=figures.CLEAR,
        plot_bgcolor=figures.CLEAR,
        font_color=ink,
        showlegend=False,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        dragmode=False,
    )
    figure.update_xaxes(title=tr("step"), fixedrange=True, showgrid=False, zeroline=False)
    figure.update_yaxes(title=name, fixedrange=True, gridcolor="rgba(128, 128, 128, 0.25)", zeroline=False)
    return figure


def take_away(s: Synthesis, request: SynthesisRequest) -> None:
    """Downloads, and the lines of Python that make it again."""
    name = text.file_name(s.method, s.model, s.layer or "", "" if s.channel is None else str(s.channel), s.label)
    buttons = st.container(horizontal=True)
    for label, make, ending, kind in (
        (tr("Picture (PNG)"), partial(encode.png, s.picture), "png", "image/png"),
        (tr("Growth (GIF)"), partial(gif, s.frames), "gif", "image/gif"),
        (tr("Growth (WebP)"), partial(webp, s.frames), "webp", "image/webp"),
    ):
        buttons.download_button(label, make, f"{name}.{ending}", kind, on_click="ignore")
    st.code(snippet(s, request), language="python")


def snippet(s: Synthesis, request: SynthesisRequest) -> str:
    """The lines of Python that make it again."""
    given = {"layer": s.layer, "channel": s.channel}
    call = ["model", repr(s.method)]
    if request.of_picture:
        call.append(f"image={request.experiment.image.name!r}")
        call += [f"fit={s.fit!r}"] if s.fit != "crop" else []
    call += [f"{key}={value!r}" for key, value in given.items() if value is not None]
    if isinstance(request.target, contrast):
        call.append(f"target=camviz.scores.{request.target!r}")
    elif s.target is not None:
        call.append(f"target={s.target}")
    defaults = request.method.settings({})
    call += [f"{key}={value!r}" for key, value in s.knobs.items() if value != defaults[key]]
    weights = ', weights="random"' if s.weights.is_random else ""
    return (
        "import camviz\nfrom camviz.feature_visualization import synthesize\n\n"
        f"model = camviz.load_model({s.model!r}{weights})\n"
        f"s = synthesize({', '.join(call)})\n"
        "s  # a notebook shows the picture\n"
    )
