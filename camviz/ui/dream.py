"""What the Dream page draws: the choice, the picture while it grows, what it says, and what can be taken away."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from plotly import graph_objects as go

from .. import export, figures
from ..errors import CamvizError
from ..feature_visualization import Synthesis, estimate, synthesize
from ..feature_visualization.film import gif, webp
from ..feature_visualization.inversion import correlation
from ..models import Prediction
from ..registry import SYNTHESES, Method
from ..render import minmax
from ..scores import Score, contrast
from . import cache, controls, state
from .controls import Experiment
from .language import said, sentence, t
from .markdown import escaped

RGB = NDArray[np.uint8]

KEPT = 16  # pictures with their growth, some 5 MB each
EVERY = 0.5  # seconds from frame to frame
MOST_DEPTHS = 8  # layers side by side


@dataclass(frozen=True)
class Wish:
    """One picture that is to be made."""

    experiment: Experiment
    method: Method
    layer: str | None
    channel: int | None
    target: Score | None
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies its result: content and settings, never an object."""
        model = self.experiment.model
        picture = (self.experiment.picture.digest, self.experiment.fit) if self.of_picture else None
        goal = (self.layer, self.channel, repr(self.target))
        return "dream", model.name, model.weights, self.method.key, picture, goal, tuple(self.knobs.items())

    @property
    def of_picture(self) -> bool:
        """Whether it starts from the chosen picture."""
        return self.method.key in ("deep_dream", "inversion")

    @property
    def goal(self) -> str:
        """What it is made for, in words, safe in markdown."""
        names = self.experiment.model.categories
        if self.channel is not None:
            return t("channel {number} of {layer}", number=self.channel, layer=escaped(str(self.layer)))
        if self.layer is not None:
            return t("layer {name}", name=escaped(self.layer))
        if isinstance(self.target, contrast):
            label, rival = escaped(names[self.target.a]), escaped(names[self.target.b])
            return t("{label} rather than {rival}", label=label, rival=rival)
        return escaped(said(names[getattr(self.target, "c", 0)]))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `synthesize` after model and method."""
        found = {"layer": self.layer, "channel": self.channel, "target": self.target, **self.knobs}
        if self.of_picture:
            found |= {"image": self.experiment.picture.image, "fit": self.experiment.fit}
        return found


def choose(experiment: Experiment) -> Wish | None:
    """The controls, and what they ask for; None with a word where the network lacks what it takes."""
    key = state.setting("dream", "activation_maximization", SYNTHESES)
    st.selectbox(
        t("Method"),
        SYNTHESES,
        format_func=lambda key: said(SYNTHESES[key].title),
        key="dream",
        persist_state="session",
        help=t("How a picture is made for the network: from noise, or out of the picture of the sidebar."),
    )
    method = SYNTHESES[key]
    st.caption(f"{said(method.tooltip)} [{t('Paper')}]({method.paper})")
    layer = experiment.layer.partition(",")[0]
    channel, at_layer = None, method.layer != "none"
    if method.layer == "optional":
        goals = ("a channel", "the class") if layer else ("the class",)
        at_layer = state.setting("dream.for", goals[0], goals) == "a channel"
        st.segmented_control(
            t("Made for"),
            goals,
            format_func=t,
            key="dream.for",
            required=True,
            persist_state="session",
            help=t("A channel of the sidebar's layer, or the sidebar's class: what the picture is to excite."),
        )
    if at_layer and not layer:
        st.info(t("This network has no layer of feature maps, which this method needs."))
        return None
    if at_layer and method.key != "inversion":
        optional = method.layer == "required"
        key, last = f"{method.key}.channel", experiment.model.layer(layer).channels - 1
        channel = state.setting(key, None if optional else 0, state.Span(0, last, optional), int)
        st.number_input(
            t("Channel of {layer}", layer=layer),
            0,
            last,
            value="min" if not optional else None,
            key=key,
            help=t("0 to {last}.", last=last) + (t(" Empty: the whole layer.") if optional else ""),
            placeholder=t("the whole layer"),
            persist_state="session",
        )
    target = None if at_layer else experiment.score
    return Wish(experiment, method, layer if at_layer else None, channel, target, controls.knobs(method))


def result(wish: Wish) -> Synthesis | None:
    """The picture: from before, or made after a click, shown as it grows; after Cancel its last frame stays."""
    shelf = _shelf()
    if (found := shelf.get(wish.key)) is not None:
        return found
    button, place = st.empty(), st.empty()
    stopped: tuple[Any, int, int, RGB] | None = st.session_state.get("dream.stopped")
    if stopped and stopped[0] == wish.key:
        with place.container():
            _last_frame(wish, *stopped[1:])
    else:
        place.info(t("No picture yet: choose what it is made for, and press the button. You can stop it at any time."))
    try:
        seconds = expected(wish)
        if not _asked(button, t("Make the picture, about {seconds} s", seconds=f"{seconds:.0f}"), wish.key, "primary"):
            return None
        button.button(t("Cancel"), key="dream.cancel", shortcut="Esc", help=t("Keeps the picture as it is then."))
        with place.container():
            bar, picture = st.progress(0.0, t("starts")), st.empty()
        spoken = 0.0

        def show(done: int, total: int, frame: RGB, left: float) -> None:
            nonlocal spoken
            st.session_state["dream.stopped"] = wish.key, done, total, frame
            told = t("Step {done} of {total}, about {seconds} s left", done=done, total=total, seconds=f"{left:.0f}")
            bar.progress(done / total, told)
            if time.monotonic() - spoken > EVERY:
                spoken = time.monotonic()
                picture.image(export.jpeg(frame), alt=_at_step(wish, done), width="stretch")

        found = compute(wish, show, lambda before: bar.progress(0.0, t("{count} before you", count=before)))
        del st.session_state["dream.stopped"]
        button.empty()
        place.empty()
        return found
    except CamvizError as error:
        place.error(sentence(error))
        return None


def compute(wish: Wish, show: Callable[[int, int, RGB, float], Any], waiting: Callable[[int], Any]) -> Synthesis:
    """Make the picture, or take it from the shelf; both functions are where a rerun of the page ends it."""
    shelf = _shelf()
    with cache.store().claim(wish.key, waiting):
        if (found := shelf.get(wish.key)) is not None:
            return found
        with cache.turns().turn(waiting) as let_others:
            started = time.monotonic()

            def progress(done: int, total: int, frame: RGB) -> None:
                let_others()
                show(done, total, frame, (time.monotonic() - started) * (total - done) / max(1, done))

            found = synthesize(wish.experiment.model, wish.method.key, progress=progress, **wish.arguments)
    cache.store().took(_duration_key(wish), found.seconds)
    shelf[wish.key] = found
    while len(shelf) > KEPT:
        shelf.popitem(last=False)
    return found


def expected(wish: Wish) -> float:
    """The seconds that it will take: 0 where it is on the shelf."""
    if wish.key in _shelf():
        return 0.0

    def measure() -> float:
        with cache.turns().turn(lambda _: None):
            return estimate(wish.experiment.model, wish.method.key, **wish.arguments)

    return cache.store().seconds(_duration_key(wish), measure)


def _duration_key(wish: Wish) -> tuple[Any, ...]:
    model = wish.experiment.model
    return ("dream seconds", model.name, model.weights, wish.method.key, wish.layer, tuple(wish.knobs.items()))


def show(s: Synthesis, wish: Wish) -> None:
    """The finished picture, beside the one that it was made from, if any."""
    alt = t("{method}: the picture for {goal}", method=said(wish.method.title), goal=wish.goal)
    if s.method == "class_image":
        strong = state.setting("dream.contrast", True, (False, True), lambda text: text != "0", lambda _: "0")
        picture = stretched(s.picture) if strong else s.picture
        st.image(export.png(picture), alt=alt, width="stretch")
        st.toggle(
            t("Stretch the contrast"),
            key="dream.contrast",
            help=t("For our eyes: the network saw the paler picture, which is also the one to take away."),
            persist_state="session",
        )
        return
    if not wish.of_picture:
        st.image(export.png(s.picture), alt=alt, width="stretch")
        return
    before, after = st.columns(2)
    view = wish.experiment.model.view(wish.experiment.picture.image, wish.experiment.fit)
    seen = t("{picture}, as the network sees it", picture=wish.experiment.picture.name)
    before.image(export.jpeg(view), alt=seen, width="stretch")
    before.caption(t("The picture"))
    after.image(export.png(s.picture), alt=alt, width="stretch")
    how = ""
    if s.method == "inversion":
        how = t(", correlation {correlation}", correlation=f"{correlation(view, s.picture):.2f}")
    after.caption(t("{method} of {goal}{how}", method=said(wish.method.title), goal=wish.goal, how=how))


def stretched(picture: RGB) -> RGB:
    """A picture (H, W, 3) with its contrast stretched over the whole range, all but its 1 % most extreme values."""
    low, high = np.percentile(picture, (0.5, 99.5))
    return (minmax(picture.astype(np.float32), float(low), float(high)) * 255).round().astype(np.uint8)


def reading(s: Synthesis, wish: Wish) -> str:
    """What the picture says, in plain words."""
    if s.method == "deep_dream":
        return t("Whatever {goal} found a trace of in the picture was made stronger, again and again.", goal=wish.goal)
    if s.method == "inversion":
        return t(
            "To {goal} both pictures look alike to at least {share}. What you still recognise, the network still knows "
            "at this depth.",
            goal=wish.goal,
            share=f"{max(0.0, 1 - s.objective[-1]):.0%}",
        )
    if s.channel is not None:
        return t("Patterns like these excite {goal} more than anything else that the search came upon.", goal=wish.goal)
    return t(
        "Patterns like these raise the score of {goal} more than anything else that the search came upon.",
        goal=wish.goal,
    )


def caution(s: Synthesis) -> str:
    """What the picture does not say."""
    if s.weights == "random":
        return t("This network is untrained, so whatever the picture shows was not learnt.")
    if s.method == "deep_dream":
        return t("What appears was learnt from other pictures: it was not hidden in this one.")
    if s.method == "inversion":
        return t(
            "What is missing may not be lost: the search ended before it had found everything, and the later the layer "
            "is, the less it finds."
        )
    if s.channel is not None:
        return t(
            "It does not say that the channel stands for one thing, nor that photographs excite it by the same: "
            "another seed gives another picture."
        )
    return t(
        "It is not what the network remembers of the class, and no photograph looks like it: a picture can be "
        "noise to us and certain to the network."
    )


def predictions(picture: RGB, wish: Wish) -> tuple[Prediction, ...]:
    """What the network says of a synthesised picture, exactly as it was made."""
    return wish.experiment.model.predict(Image.fromarray(picture), 5, "stretch")


def says(found: Sequence[Prediction]) -> None:
    """The best classes as a list."""
    lines = [f"- **{said(figures.percent(one.probability))}** {escaped(said(one.label))}" for one in found]
    st.markdown("\n".join(lines))


def curve(s: Synthesis, ink: str | None = None) -> go.Figure:
    """The objective step by step."""
    falls = s.method == "inversion"
    name = t("what differs (falls)") if falls else t("excitement (rises)")
    name = t("excitement (rises at each size)") if s.method == "deep_dream" else name
    figure = go.Figure(
        go.Scatter(
            x=list(range(1, len(s.objective) + 1)),
            y=s.objective,
            mode="lines",
            line={"width": 2, "color": "#4393c3"},
            hovertemplate=t("step") + " %{x}: %{y:.3g}<extra></extra>",
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
    figure.update_xaxes(title=t("step"), fixedrange=True, showgrid=False, zeroline=False)
    figure.update_yaxes(title=name, fixedrange=True, gridcolor="rgba(128, 128, 128, 0.25)", zeroline=False)
    return figure


def take_away(s: Synthesis, wish: Wish) -> None:
    """Downloads, and the lines of Python that make it again."""
    name = export.file_name(s.method, s.model, s.layer or "", "" if s.channel is None else str(s.channel), s.label)
    buttons = st.container(horizontal=True)
    for label, make, ending, kind in (
        (t("Picture (PNG)"), partial(export.png, s.picture), "png", "image/png"),
        (t("Growth (GIF)"), partial(gif, s.frames), "gif", "image/gif"),
        (t("Growth (WebP)"), partial(webp, s.frames), "webp", "image/webp"),
    ):
        buttons.download_button(label, make, f"{name}.{ending}", kind, on_click="ignore")
    st.code(snippet(s, wish), language="python")


def snippet(s: Synthesis, wish: Wish) -> str:
    """The lines of Python that make it again."""
    given = {"layer": s.layer, "channel": s.channel}
    call = ["model", repr(s.method)]
    if wish.of_picture:
        call.append(f"image={wish.experiment.picture.name!r}")
        call += [f"fit={s.fit!r}"] if s.fit != "crop" else []
    call += [f"{key}={value!r}" for key, value in given.items() if value is not None]
    if isinstance(wish.target, contrast):
        call.append(f"target=camviz.scores.{wish.target!r}")
    elif s.target is not None:
        call.append(f"target={s.target}")
    defaults = wish.method.settings({})
    call += [f"{key}={value!r}" for key, value in s.knobs.items() if value != defaults[key]]
    weights = ', weights="random"' if s.weights == "random" else ""
    return (
        "import camviz\nfrom camviz.feature_visualization import synthesize\n\n"
        f"model = camviz.load_model({s.model!r}{weights})\n"
        f"s = synthesize({', '.join(call)})\n"
        "s  # a notebook shows the picture\n"
    )


def depths(wish: Wish) -> None:
    """The same picture inverted from several layers, side by side."""
    experiment = wish.experiment
    names = [layer.name for layer in experiment.model.layers]
    ends = {layer.stage: layer.name for layer in experiment.model.layers if layer.main}
    layers = state.many("dream.layers", list(ends.values())[:4], names, MOST_DEPTHS)
    st.multiselect(
        t("Layers"),
        names,
        key="dream.layers",
        placeholder=t("Choose options"),
        max_selections=MOST_DEPTHS,
        persist_state="session",
        help=t("From which layers the picture is made again, each alone."),
    )
    wishes = [Wish(experiment, wish.method, layer, None, None, wish.knobs) for layer in layers]
    box = st.grid(min_column_width=180)
    places = [box.empty() for _ in wishes]
    found = [_shelf().get(one.key) for one in wishes]
    view = experiment.model.view(experiment.picture.image, experiment.fit)

    def fill(place: Any, one: Wish, s: Synthesis) -> None:
        with place.container():
            alt = t("The picture as {layer} knows it", layer=one.layer)
            st.image(export.jpeg(s.picture), alt=alt, width="stretch")
            alike = t("correlation {correlation}", correlation=f"{correlation(view, s.picture):.2f}")
            st.caption(f"**{escaped(str(one.layer))}**  \n{alike}")

    for place, one, s in zip(places, wishes, found, strict=True):
        if s is not None:
            fill(place, one, s)
        else:
            place.caption(t("{layer}: not made yet", layer=escaped(str(one.layer))))
    missing = [(place, one) for place, one, s in zip(places, wishes, found, strict=True) if s is None]
    if missing:
        try:
            _fill(missing, fill)
        except CamvizError as error:
            st.error(sentence(error))


def _fill(missing: Sequence[tuple[Any, Wish]], fill: Callable[[Any, Wish, Synthesis], None]) -> None:
    """Make the missing pictures one by one after a click; those that are finished stay, whatever happens."""
    button, bar = st.empty(), st.empty()
    seconds = sum(expected(wish) for _, wish in missing)
    what = t("Make {count} pictures, about {seconds} s", count=len(missing), seconds=f"{seconds:.0f}")
    if not _asked(button, what, "depths", "secondary"):
        return
    button.button(
        t("Cancel"), key="dream.depths.cancel", shortcut="Esc", help=t("Keeps the pictures that are finished.")
    )
    for place, wish in missing:

        def report(done: int, total: int, frame: RGB, left: float, layer: Any = wish.layer) -> None:
            told = t("{layer}: about {seconds} s left", layer=escaped(str(layer)), seconds=f"{left:.0f}")
            bar.progress(done / total, told)

        fill(
            place, wish, compute(wish, report, lambda before: bar.progress(0.0, t("{count} before you", count=before)))
        )
    button.empty()
    bar.empty()


def _asked(place: Any, label: str, key: Any, kind: Literal["primary", "secondary"]) -> bool:
    """Whether the button for that was clicked; draws it where it was not."""
    if st.session_state.get("dream.asked") == key:
        del st.session_state["dream.asked"]  # so that Cancel, which is a rerun, does not ask again
        return True
    name = "dream.go" if kind == "primary" else "dream.depths"
    place.button(label, type=kind, key=name, on_click=_ask, args=(key,))
    return False


def _ask(key: Any) -> None:
    st.session_state["dream.asked"] = key


def _last_frame(wish: Wish, done: int, total: int, frame: RGB) -> None:
    st.image(export.jpeg(frame), alt=_at_step(wish, done), width="stretch")
    st.caption(t("Stopped at step {done} of {total}.", done=done, total=total))
    st.download_button(
        t("Picture (PNG)"),
        partial(export.png, frame),
        "camviz-dream.png",
        "image/png",
        on_click="ignore",
        key="dream.png",
    )


def _at_step(wish: Wish, done: int) -> str:
    return t("The picture for {goal} at step {step}", goal=wish.goal, step=done)


@cache.lasting
def _shelf() -> OrderedDict[Any, Synthesis]:
    return OrderedDict()
