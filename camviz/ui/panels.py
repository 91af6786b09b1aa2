"""What pages draw: predictions, an explanation, its views, and what can be taken away; and how it is computed."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from .. import export, figures, render, report
from ..errors import CamvizError
from ..evaluation.agreement import rank_correlation
from ..explanation import Explanation, estimate, explain
from ..models import Prediction
from ..occlusion_maps import occlusion_maps
from ..receptive_field import Box, receptive_field, strongest
from ..registry import METHODS, Method
from . import browser, cache, controls, state, tasks
from .controls import Experiment
from .language import bound, said, said_in, sentence, t
from .markdown import escaped
from .tasks import PATIENCE, Report

FEW = 6  # forward passes' time that a method of few passes takes, its backward pass and its map included


def predictions(found: tuple[Prediction, ...], chosen: int | None) -> None:
    """The best classes as bars; a click explains that class."""
    browser.bars(
        t("Predictions: choose a class to explain"),
        [
            {
                "id": one.index,
                "label": one.label,
                "value": said(figures.percent(one.probability)),
                "share": one.probability,
                "chosen": one.index == chosen,
            }
            for one in found
        ],
        controls.explain_class,
    )


def seen(experiment: Experiment) -> bytes:
    """The picture as the network sees it, as a JPEG."""
    model = experiment.model
    return _seen((model.name, model.weights, experiment.picture.digest, experiment.fit), experiment)


@st.cache_data(show_spinner=False, max_size="16MB")
def _seen(key: Any, _experiment: Experiment) -> bytes:
    return export.jpeg(_experiment.model.view(_experiment.picture.image, _experiment.fit))


def key_of(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> tuple[Any, ...]:
    """What identifies a result: the picture's content and every setting, never an object."""
    layer = experiment.layer if method.layer != "none" else None
    network = (experiment.model.name, experiment.model.weights, str(experiment.model.device))
    return (
        experiment.picture.digest,
        experiment.fit,
        network,
        method.key,
        layer,
        experiment.fuse,
        repr(experiment.score),
        tuple(sorted(knobs.items(), key=str)),
    )


def compute(experiment: Experiment, method: Method, knobs: Mapping[str, Any], report: Report) -> Explanation:
    """The explanation, from the store or computed now; `report` is where a rerun of the page ends it."""
    key = key_of(experiment, method, knobs)
    store = cache.store()
    if (found := store.get(key)) is not None:
        return found

    def waiting(before: int) -> None:
        report(0.0, t("{count} before you", count=before))

    with store.claim(key, waiting), cache.turns().turn(waiting) as let_others:
        if (found := store.get(key)) is not None:
            return found
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            let_others()
            if not done:
                report(0.0, t("starts"))
                return
            left = (time.monotonic() - started) * (total - done) / done
            told = t("{done} of {total}: about {seconds} s left", done=done, total=total, seconds=f"{left:.0f}")
            report(done / total, told)

        found = explain(
            experiment.model,
            experiment.picture.image,
            method.key,
            experiment.score,
            (experiment.layer or None) if method.layer != "none" else None,
            fit=experiment.fit,
            fuse=experiment.fuse,
            progress=progress,
            **knobs,
        )
    store.put(key, found)
    store.took(_duration_key(experiment, method, knobs), found.seconds)
    return found


def expected(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> float:
    """The seconds that it will take: 0 where it is in the store, or where the method needs only a few passes."""
    if not method.many_passes or cache.store().get(key_of(experiment, method, knobs)) is not None:
        return 0.0
    return duration(experiment, method, knobs)


def duration(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> float:
    """About how many seconds the method takes here, whether or not its map is in the store."""
    if not method.many_passes:
        return FEW * tasks.seconds_of_pass(experiment.model)

    def measure() -> float:
        with cache.turns().turn(lambda _: None):
            return estimate(
                experiment.model,
                experiment.picture.image,
                method.key,
                experiment.layer or None,
                fit=experiment.fit,
                **knobs,
            )

    return cache.store().seconds(_duration_key(experiment, method, knobs), measure)


def _duration_key(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> tuple[Any, ...]:
    return ("seconds", *key_of(experiment, method, knobs)[2:5], tuple(sorted(knobs.items(), key=str)))


def refusals(experiment: Experiment) -> dict[str, str]:
    """The methods that cannot be used on this network at this layer, each with the reason."""
    model = experiment.model
    return _refusals((model.name, model.weights), experiment.layer, experiment)


@st.cache_data(show_spinner=False, max_entries=500)
def _refusals(network: Any, layer: str, _experiment: Experiment) -> dict[str, str]:
    found = {}
    for method in METHODS.values():
        if method.layer == "required" and not layer:
            found[method.key] = "it needs a layer of feature maps, and this network has none"
        elif method.needs:
            try:
                compute(_experiment, method, method.settings({}), lambda *_: None)
            except CamvizError as error:
                found[method.key] = str(error)
    return found


def explanation(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> Explanation | None:
    """Compute what the page asks for: at once where it is fast, after a click where it is slow. None: not (yet)."""
    place = st.container()
    try:
        seconds = expected(experiment, method, knobs)
        if seconds > PATIENCE:
            title = said(method.title)
            place.info(t("{method} will take about {seconds} s here.", method=title, seconds=f"{seconds:.0f}"))
            if not place.button(t("Compute {method}", method=title), type="primary", key="compute"):
                return None
            place.button(t("Cancel"), key="cancel", shortcut="Esc", help=t("Changing any setting also stops it."))
        bar = place.empty()
        found = compute(experiment, method, knobs, bar.progress)
        bar.empty()
        return found
    except CamvizError as error:
        place.error(sentence(error))
        return None


def ink() -> str:
    """The colour of text in charts, dark or light as the page is."""
    return "#fafafa" if st.context.theme.type == "dark" else "#31333f"


def overlay(e: Explanation, key: Any, colour_map: str, opacity: float) -> None:
    """The map over the picture, with an opacity that moves in the browser, and its colour bar."""
    title = said(METHODS[e.method].title)
    base, heat = _jpegs(repr(key), colour_map, e)
    alt = t("{method} of {label} over the picture", method=title, label=said(e.label))
    browser.overlay(base, heat, opacity, alt, _set_opacity)
    st.html(figures.colour_bar(colour_map, t("little"), t("much"), title))


def views(e: Explanation, key: Any, colour_map: str, opacity: float, percentile: float) -> None:
    """Every view of the attribution, in tabs."""
    found = _views(repr(key), colour_map, opacity, percentile, e)
    described = render.VIEWS[render.kind(e.attribution)]
    for tab, (name, jpeg) in zip(st.tabs([said(name) for name in found]), found.items(), strict=True):
        with tab:
            told = said(described[name])
            st.image(jpeg, alt=f"{said(name)}: {told}", width=448)
            st.caption(told)


@st.cache_data(show_spinner=False, max_size="64MB")
def _views(key: str, colour_map: str, opacity: float, percentile: float, _e: Explanation) -> dict[str, bytes]:
    found = render.views(_e.attribution, _e.view, opacity, colour_map, percentile)
    return {name: export.jpeg(picture) for name, picture in found.items()}


def patch(e: Explanation, experiment: Experiment) -> None:
    """The activation that was projected back, beside the part of the picture that it can see; for one layer only."""
    if "," in str(e.layer):
        return
    box, row, column = _patch(repr(key_of(experiment, METHODS[e.method], e.knobs)), e, experiment)
    top, left, bottom, right = box
    found, projected = st.columns(2)
    for place, picture, name in (
        (found, e.view, t("The picture, in the receptive field")),
        (projected, render.colour(e.attribution), t("Projected back, in the receptive field")),
    ):
        place.image(export.png(picture[top:bottom, left:right]), alt=name, width="stretch")
        size = t(" ({width} x {height} pixels)", width=right - left, height=bottom - top)
        place.caption(f"{name}{size}")
    st.caption(
        t(
            "Feature map {number} of {layer}, its activation in row {row}, column {column}.",
            number=e.knobs["feature_map"],
            layer=escaped(str(e.layer)),
            row=row,
            column=column,
        )
    )


@st.cache_data(show_spinner=False, max_entries=200)
def _patch(key: str, _e: Explanation, _experiment: Experiment) -> tuple[Box, int, int]:
    model, knobs = _experiment.model, _e.knobs
    layer, x = model.module(str(_e.layer)), model.preprocess(_experiment.picture.image, _experiment.fit)
    with cache.turns().turn(lambda _: None):
        row, column = strongest(model.net, x, layer, knobs["feature_map"], knobs["row"], knobs["column"])
        return receptive_field(model.net, x, layer, row, column), row, column


def further(e: Explanation, experiment: Experiment) -> None:
    """What a method can show beyond its map, each after a click."""
    if e.knobs.get("mode") == "fast":
        _fast_against_exact(e, experiment)
    if e.method == "occlusion":
        _class_map(e, experiment)


def _fast_against_exact(e: Explanation, experiment: Experiment) -> None:
    method, knobs = METHODS[e.method], {**e.knobs, "mode": "exact"}
    seconds = expected(experiment, method, knobs)
    exact = tasks.run(
        "exact",
        ("exact", *key_of(experiment, method, knobs)),
        seconds,
        t("Check the fast map against the exact one"),
        lambda report: compute(experiment, method, knobs, report),
    )
    if exact is not None:
        agreement = rank_correlation(e.attribution, exact.attribution)
        st.caption(
            t(
                "Fast against exact: rank correlation {agreement}, in {fast} s instead of {exact} s "
                "(1 = the same order of all places).",
                agreement=f"{agreement:.3f}",
                fast=f"{e.seconds:.1f}",
                exact=f"{exact.seconds:.1f}",
            )
        )


def _class_map(e: Explanation, experiment: Experiment) -> None:
    model, knobs = experiment.model, e.knobs

    def work(report: Report) -> Any:
        x = model.preprocess(experiment.picture.image, experiment.fit)
        with tasks.turn(report) as progress:
            index = e.target if e.target is not None else experiment.predictions[0].index
            return occlusion_maps(
                model.net, x, index, size=knobs["size"], stride=knobs["stride"], progress=progress
            ).category[0]

    key = ("class map", *key_of(experiment, METHODS[e.method], knobs))
    found = tasks.run("places", key, e.seconds, t("Show what it says with the square at each place"), work)
    if found is not None:
        st.plotly_chart(
            said_in(figures.class_map(found.cpu().numpy(), model.categories, ink())),
            alt=t("The most probable class with the grey square over each place of the picture, as letters"),
            config={"displayModeBar": False},
        )
        st.caption(
            t(
                "The most probable class while the grey square hides that place of the picture "
                "(Zeiler & Fergus, 2014). These are names, not amounts."
            )
        )


def take_away(e: Explanation, experiment: Experiment, colour_map: str, opacity: float, percentile: float) -> None:
    """Downloads and the lines of Python that compute it again."""
    picture, link = experiment.picture.name, state.link()
    name = export.file_name(picture, e.model, e.method, e.layer or "", e.label)

    def picture_of(view: str) -> bytes:
        return export.png(render.views(e.attribution, e.view, opacity, colour_map, percentile)[view])

    buttons = st.container(horizontal=True)
    for view in render.VIEWS[render.kind(e.attribution)]:
        buttons.download_button(
            f"{said(view)} (PNG)",
            partial(picture_of, view),
            f"{name}-{export.file_name(view)}.png",
            "image/png",
            on_click="ignore",
        )
    buttons.download_button(
        t("Raw map (NPZ)"), lambda: export.npz(e), f"{name}.npz", "application/zip", on_click="ignore"
    )
    buttons.download_button(
        t("Settings (JSON)"), lambda: export.settings_json(e), f"{name}.json", "application/json", on_click="ignore"
    )
    buttons.download_button(
        t("Recipe (JSON)"),
        lambda: export.recipe_json(e, picture),
        f"{name}-recipe.json",
        "application/json",
        on_click="ignore",
        help=t("All that says how to compute it again: `camviz.explain(**recipe)`, or 'Load a recipe' on this page."),
    )
    language, say = bound()
    buttons.download_button(
        t("Report (HTML)"),
        lambda: report.write(
            f"Why {e.model} says what it says of {picture}",
            report.of_explanation(e, experiment.predictions, picture, colour_map, opacity, percentile),
            link,
            language,
            say,
        ),
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help=t("One file with pictures, settings, numbers and how to read them; print it to get a PDF."),
    )
    st.code(export.snippet(e, picture), language="python")


def _set_opacity(value: float) -> None:
    st.session_state["opacity"] = round(value, 2)


@st.cache_data(show_spinner=False, max_size="64MB")
def _jpegs(key: str, colour_map: str, _e: Explanation) -> tuple[bytes, bytes]:
    return export.jpeg(_e.view), export.jpeg(render.colourise(_e.heatmap, colour_map))
