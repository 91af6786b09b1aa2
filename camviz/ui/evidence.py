"""What the Evaluate page draws of one picture and one method: curves, other measures, forgetting, other classes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from .. import export, render
from ..errors import CamvizError
from ..evaluation.curve import Curve
from ..evaluation.registry import METRICS, Metric
from ..explanation import Explanation
from ..registry import METHODS, Method
from . import charts, panels, state, tasks, trials, verdicts
from .controls import Experiment
from .markdown import escaped
from .tasks import Report

FILLERS = {"published": "as published", "blur": "a blur", "mean": "the mean colour"}
ALONE = ("road", "average_drop", "increase_in_confidence", "infidelity", "max_sensitivity", "sparseness")

Knobs = Mapping[str, Any]


@dataclass(frozen=True)
class Tile:
    """A map over the picture as a JPEG, its caption, and what it shows in words."""

    jpeg: bytes
    caption: str
    alt: str


def curves(experiment: Experiment, method: Method, knobs: Knobs) -> None:
    """Deletion and insertion of the present map, beside those of the controls, in words and as two charts."""
    filler = state.setting("filler", "published", FILLERS)
    steps = state.setting("steps", 28, state.Span(2, 112), int)
    settings = {"steps": steps, **({} if filler == "published" else {"filler": filler})}
    told, status, charted, looks = (st.container(), st.container(), st.container(), st.container(horizontal=True))
    looks.segmented_control(
        "A pixel is replaced by",
        FILLERS,
        format_func=FILLERS.__getitem__,
        key="filler",
        required=True,
        persist_state="session",
        help="As published: the mean colour for deletion, a strong blur for insertion.",
    )
    looks.slider("Steps", 2, 112, key="steps", persist_state="session")
    with status:
        own = _pair(experiment, method, knobs, settings)
        if own is None:
            return
        others = _controls(experiment, method, settings)
    label = experiment.model.categories[trials.target(experiment)]
    told.markdown(verdicts.curves(escaped(label), *own) + (f" **{verdicts.against(own, others)}**" if others else ""))
    for box, place, key in zip(charted.columns(2, gap="large"), (0, 1), ("deletion", "insertion"), strict=True):
        metric = METRICS[key]
        found = {method.title: own[place], **{title: pair[place] for title, pair in others.items()}}
        with box:
            st.subheader(f"{metric.title}: {own[place].area:.3f}")
            st.caption(f"{metric.tooltip} [Paper]({metric.paper})")
            st.plotly_chart(
                charts.lines(
                    {f"{name}: {curve.area:.3f}": (curve.fractions, curve.values) for name, curve in found.items()},
                    f"share of the pixels {'brought in' if place else 'replaced'}",
                    f"probability of {label}",
                    panels.ink(),
                ),
                key=key,
                alt=f"{metric.title}: "
                + ", ".join(f"area {curve.area:.3f} for {name}" for name, curve in found.items()),
                config={"displayModeBar": False},
            )
            cannot(metric)


def _pair(experiment: Experiment, method: Method, knobs: Knobs, settings: Knobs) -> tuple[Curve, Curve] | None:
    return tasks.run(
        "curves",
        _key("curves", experiment, method, knobs, settings),
        _seconds_of_pair(experiment, settings),
        "Draw the curves",
        lambda report: _measured(experiment, method, knobs, settings, report),
    )


def _controls(experiment: Experiment, method: Method, settings: Knobs) -> dict[str, tuple[Curve, Curve]]:
    others = [one for one in trials.controls_for(experiment) if one != method]

    def work(report: Report) -> dict[str, tuple[Curve, Curve]]:
        return {
            one.title: _measured(experiment, one, one.settings({}), settings, part(report, place, len(others)))
            for place, one in enumerate(others)
        }

    key = _key("controls", experiment, METHODS["random_cam"], {"others": tuple(one.key for one in others)}, settings)
    seconds = len(others) * _seconds_of_pair(experiment, settings)
    return tasks.run("controls", key, seconds, "Add the controls, which know nothing of the reasons", work) or {}


def _measured(
    experiment: Experiment, method: Method, knobs: Knobs, settings: Knobs, report: Report
) -> tuple[Curve, Curve]:
    deletion, insertion = (
        trials.measure(experiment, method, knobs, METRICS[key], part(report, place, 2), **settings)
        for place, key in enumerate(("deletion", "insertion"))
    )
    return deletion, insertion


def _seconds_of_pair(experiment: Experiment, settings: Knobs) -> float:
    steps: int = settings["steps"]
    return 2 * (steps + 1) * tasks.seconds_of_pass(experiment.model)


def measures(experiment: Experiment, method: Method, knobs: Knobs) -> None:
    """The other single numbers of the present map in a table, each with what it can't tell."""
    metrics = [METRICS[key] for key in ALONE]
    seconds = sum(
        trials.seconds(experiment, method, knobs, one)
        for one in metrics
        if trials.known(experiment, method, knobs, one) is None
    )

    def work(report: Report) -> dict[str, str]:
        found = {}
        for place, one in enumerate(metrics):
            try:
                value = trials.number(experiment, method, knobs, one, part(report, place, len(metrics)))
                found[one.key] = f"{value:.3f}"
            except CamvizError as error:
                found[one.key] = str(error)
        return found

    key = _key("measures", experiment, method, knobs, {})
    numbers = tasks.run("measures", key, seconds, "Measure", work)
    if numbers is None:
        return
    st.table(
        {
            "Measure": [f"**{one.title}**" for one in metrics],
            "This map": [numbers[one.key] for one in metrics],
            "Good is": [one.better for one in metrics],
            "What it asks, and *what it can't tell*": [f"{one.tooltip} *{one.cannot}*" for one in metrics],
        }
    )


def forgetting(experiment: Experiment, method: Method, knobs: Knobs) -> None:
    """The map while the network forgets, from its last layer to its first."""
    metric = METRICS["randomisation"]
    ways = metric.knobs["way"].choices
    way = state.setting("forget", ways[0], ways)
    place = st.container()
    st.segmented_control(
        "New weights", ways, key="forget", required=True, persist_state="session", help=metric.knobs["way"].help
    )

    def work(report: Report) -> tuple[Any, list[Tile]]:
        found = trials.measure(experiment, method, knobs, metric, report, way=way)
        told = zip(found.depths, found.layers, found.correlations, found.similarities, strict=True)
        captions = [
            f"**{depth:.0%} forgotten**  \ndown to `{layer}`  \nr = {r:.2f}, SSIM = {alike:.2f}"
            if layer
            else "**as trained**"
            for depth, layer, r, alike in told
        ]
        alts = [f"{method.title} with {depth:.0%} of the layers forgotten" for depth in found.depths]
        return (
            (found.depths, found.correlations, found.similarities, float(found)),
            tiles(experiment, found.maps, captions, alts),
        )

    with place:
        result = _run(
            "forgetting", experiment, method, knobs, metric, "Let a copy of the network forget", work, way=way
        )
        if result is None:
            return
        (depths, correlations, similarities, mean), pictures = result
        st.markdown(f"**{verdicts.forgetting(correlations)}**")
        show(pictures)
        st.plotly_chart(
            charts.lines(
                {
                    "rank correlation (r)": (depths, correlations),
                    "structural similarity (SSIM)": (depths, similarities),
                },
                "share of the layers that have forgotten, from the last",
                "likeness to the map as trained",
                panels.ink(),
            ),
            alt=f"Likeness to the map as trained against forgetting: r = {correlations[-1]:.2f} at the end",
            config={"displayModeBar": False},
        )
        st.caption(
            "1: the same map; 0: unrelated. A line that falls at once is a map that depends on what was learnt. "
            f"Mean of |r|: {mean:.2f}. [Paper]({metric.paper})"
        )
        cannot(metric)


def other_classes(experiment: Experiment, method: Method, knobs: Knobs) -> None:
    """The map of the class beside those of others, from the runner-up to the least likely."""
    metric = METRICS["class_contrast"]
    names = experiment.model.categories

    def work(report: Report) -> tuple[str, list[Tile]]:
        found = trials.measure(experiment, method, knobs, metric, report)
        first, *others = [escaped(names[index]) for index in found.classes]
        captions = [f"**{first}**"]
        captions += [f"{label}  \nr = {r:.2f}" for label, r in zip(others, found.correlations, strict=True)]
        alts = [f"{method.title} for {names[index]}" for index in found.classes]
        most, likest = max(zip(found.correlations, others, strict=True))
        told = verdicts.classes(float(found), f"{likest}, r = {most:.2f}")
        return f"**{told}** Mean rank correlation: {float(found):.2f}.", tiles(experiment, found.maps, captions, alts)

    result = _run("classes", experiment, method, knobs, metric, "Ask for other classes", work)
    if result is None:
        return
    told, pictures = result
    st.markdown(told)
    show(pictures)
    cannot(metric)


def _run(
    name: str,
    experiment: Experiment,
    method: Method,
    knobs: Knobs,
    metric: Metric,
    what: str,
    work: Callable[[Report], Any],
    **settings: Any,
) -> Any:
    """A job of one metric that explains again; an error box where the method cannot be used here."""
    key = _key(name, experiment, method, knobs, settings)
    try:
        seconds = 0.0 if tasks.kept(key) is not None else trials.seconds(experiment, method, knobs, metric)
    except CamvizError as error:
        st.error(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        return None
    return tasks.run(name, key, seconds, what, work)


def map_of(experiment: Experiment, method: Method, e: Explanation) -> None:
    """The map that is tested, small."""
    key = _key("small", experiment, method, e.knobs, {})
    picture = tasks.kept(key) or tasks.keep(key, export.jpeg(render.overlay(e.view, e.heatmap, 0.6)))
    st.image(picture, alt=f"{method.title} of {e.label} over the picture", width=220)
    st.caption(f"{method.title} of {escaped(e.label)}")


def tiles(experiment: Experiment, maps: Sequence[Tensor], captions: Sequence[str], alts: Sequence[str]) -> list[Tile]:
    """Maps over the present picture, each with its own scale."""
    view = experiment.model.view(experiment.picture.image, experiment.fit)
    return [Tile(over(view, one), caption, alt) for one, caption, alt in zip(maps, captions, alts, strict=True)]


def over(view: NDArray[np.uint8], attribution: Tensor) -> bytes:
    """A map over a picture (H, W, 3), as a JPEG."""
    heat = render.heatmap(attribution.cpu().float().numpy(), (view.shape[0], view.shape[1]))
    return export.jpeg(render.overlay(view, heat, 0.6))


def show(pictures: Sequence[Tile], width: int = 150) -> None:
    """Tiles in a row that wraps."""
    box = st.grid(min_column_width=width)
    for tile in pictures:
        with box.container():
            st.image(tile.jpeg, alt=tile.alt, width="stretch")
            st.caption(tile.caption)


def cannot(metric: Metric) -> None:
    """The sentence of what a number does not tell."""
    st.caption(f"**What it can't tell.** {metric.cannot}")


def part(report: Report, number: int, parts: int) -> Report:
    """The report of one of several equal parts of a work, number 0 being the first."""
    return lambda share, text: report((number + share) / parts, text)


def _key(name: str, experiment: Experiment, method: Method, knobs: Knobs, settings: Knobs) -> tuple[Any, ...]:
    return (name, *panels.key_of(experiment, method, knobs), tuple(sorted(settings.items())))
