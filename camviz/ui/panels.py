"""What pages draw: predictions, an explanation, its views, and what can be taken away."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from .. import export, figures, render, report
from ..errors import CamvizError
from ..explanation import Explanation
from ..models import Prediction
from ..registry import METHODS, Method
from . import browser, controls, results, state
from .controls import Experiment
from .language import bound, said, sentence, t
from .tasks import PATIENCE


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


def explanation(experiment: Experiment, method: Method, knobs: Mapping[str, Any]) -> Explanation | None:
    """Compute what the page asks for: at once where it is fast, after a click where it is slow. None: not (yet)."""
    place = st.container()
    try:
        seconds = results.expected(experiment, method, knobs)
        if seconds > PATIENCE:
            title = said(method.title)
            place.info(t("{method} will take about {seconds} s here.", method=title, seconds=f"{seconds:.0f}"))
            if not place.button(t("Compute {method}", method=title), type="primary", key="compute"):
                return None
            place.button(t("Cancel"), key="cancel", shortcut="Esc", help=t("Changing any setting also stops it."))
        bar = place.empty()
        found = results.compute(experiment, method, knobs, bar.progress)
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
