"""A finished feature visualization: its reading, limitations, predictions and downloads."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st
from PIL import Image

from ... import encode, text
from ...feature_visualization import Synthesis
from ...feature_visualization.animation import gif, webp
from ...feature_visualization.inversion import correlation
from ...models import Prediction
from ...render import minmax
from ...scores import contrast
from ..session import settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import charts
from .synthesis_request import RGB, SynthesisRequest


def show(s: Synthesis, request: SynthesisRequest) -> None:
    """Show the finished image, beside the original if there is one."""
    alt = tr("{method}: image for {goal}", method=tr_message(request.method.title), goal=request.goal)
    if s.method == "class_image":
        strong = settings.setting("dream.contrast", True, (False, True), lambda text: text != "0", lambda _: "0")
        image = stretched(s.image) if strong else s.image
        st.image(encode.png(image), alt=alt, width="stretch")
        st.toggle(
            tr("Stretch the contrast"),
            key="dream.contrast",
            help=tr(
                "For display only: the model received the image with less contrast, which is also the one "
                "in the downloads."
            ),
            persist_state="session",
        )
        return
    if not request.starts_from_image:
        st.image(encode.png(s.image), alt=alt, width="stretch")
        return
    before, after = st.columns(2)
    view = request.experiment.view
    seen = tr("{image}, as the model receives it", image=request.experiment.image.name)
    before.image(encode.jpeg(view), alt=seen, width="stretch")
    before.caption(tr("Original image"))
    after.image(encode.png(s.image), alt=alt, width="stretch")
    how = ""
    if s.method == "inversion":
        how = tr(", correlation {correlation}", correlation=f"{correlation(view, s.image):.2f}")
    after.caption(tr("{method} of {goal}{how}", method=tr_message(request.method.title), goal=request.goal, how=how))


def stretched(image: RGB) -> RGB:
    """Stretch the contrast of an image (H, W, 3), clipping its 1% most extreme values."""
    low, high = np.percentile(image, (0.5, 99.5))
    return (minmax(image.astype(np.float32), float(low), float(high)) * 255).round().astype(np.uint8)


def reading(s: Synthesis, request: SynthesisRequest) -> str:
    """Return one sentence on what the image shows."""
    if s.method == "deep_dream":
        return tr("The patterns in the image to which {goal} responds were amplified step by step.", goal=request.goal)
    if s.method == "inversion":
        return tr(
            "For {goal}, the two images agree by at least {share}. What you can still recognize is still "
            "represented at this layer.",
            goal=request.goal,
            share=text.percent(max(0.0, 1 - s.objective[-1]), 0, exact=True),
        )
    if s.channel is not None:
        return tr("The pattern with the strongest response of {goal} that this search found.", goal=request.goal)
    return tr(
        "The pattern with the highest score for {goal} that this search found.",
        goal=request.goal,
    )


def caution(s: Synthesis) -> str:
    """Return one sentence on the limitations of the image."""
    if s.weights.is_random:
        return tr("This model is untrained, so the image shows nothing that was learned.")
    if s.method == "deep_dream":
        return tr("What appears was learned from other images; it was not hidden in this one.")
    if s.method == "inversion":
        return tr(
            "Missing content is not necessarily lost in the layer: the optimization does not find everything, "
            "and it finds less at later layers."
        )
    if s.channel is not None:
        return tr(
            "The channel may respond to other patterns too, and photographs may activate it in other ways: "
            "another seed gives another image."
        )
    return tr(
        "It is not a typical image of the class: a model can give a high probability to what looks like noise to us."
    )


def predictions(image: RGB, request: SynthesisRequest) -> tuple[Prediction, ...]:
    """Return the predictions for a synthesized image, without resizing it."""
    return request.experiment.model.predict(Image.fromarray(image), 5, "stretch")


def show_predictions(found: Sequence[Prediction]) -> None:
    """Show the predictions as a list."""
    lines = [f"- **{tr_message(one.shown())}** {escaped(tr_message(one.label))}" for one in found]
    st.markdown("\n".join(lines))


def curve(s: Synthesis) -> None:
    """Show the objective at each step."""
    falls = s.method == "inversion"
    name = tr("loss (lower is better)") if falls else tr("objective (higher is better)")
    name = tr("objective (rises at each size)") if s.method == "deep_dream" else name
    steps = range(1, len(s.objective) + 1)
    charts.line_chart(
        "objective", {name: (steps, s.objective)}, tr("step"), name, tr("The objective at each step"), unit="number"
    )


def show_downloads(s: Synthesis, request: SynthesisRequest) -> None:
    """Draw the downloads and the Python code of the image."""
    name = text.file_name(s.method, s.model, s.layer or "", "" if s.channel is None else str(s.channel), s.label)
    buttons = st.container(horizontal=True)
    for label, make, ending, kind in (
        (tr("Image (PNG)"), partial(encode.png, s.image), "png", "image/png"),
        (tr("Animation (GIF)"), partial(gif, s.frames), "gif", "image/gif"),
        (tr("Animation (WebP)"), partial(webp, s.frames), "webp", "image/webp"),
    ):
        buttons.download_button(label, make, f"{name}.{ending}", kind, on_click="ignore")
    code = st.expander(tr("Python code"), key="code", on_change="rerun")
    if code.open:  # the browser loads 1.5 MB to highlight code
        code.code(snippet(s, request), language="python")


def snippet(s: Synthesis, request: SynthesisRequest) -> str:
    """Return the Python code that computes the image again."""
    given = {"layer": s.layer, "channel": s.channel}
    call = ["model", repr(s.method)]
    if request.starts_from_image:
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
        "s  # a notebook shows the image\n"
    )
