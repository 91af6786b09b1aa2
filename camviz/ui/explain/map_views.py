"""A heatmap on the page Explain: overlay, views and downloads."""

from functools import partial

import streamlit as st

from ... import encode, export, figures, render, report, text
from ...explanation import recipe
from ...explanation.explanation import Explanation
from ...messages import Message
from ...registry import METHODS
from ..components import browser
from ..inputs.experiment import Experiment
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message, translator


def overlay(e: Explanation, color_map: str, opacity: float) -> None:
    """Show the heatmap over the image with an opacity slider and a color bar."""
    title = tr_message(METHODS[e.method].title)
    base, heat = result_store().once(
        ("overlay", color_map, e.question.key),
        lambda: (encode.jpeg(e.view), encode.jpeg(render.colorize(e.heatmap, color_map))),
    )
    alt = tr("{method} of {label} over the image", method=title, label=tr_message(e.label))
    browser.overlay(base, heat, opacity, alt, _set_opacity)
    st.html(figures.color_bar(color_map, tr("low"), tr("high"), title))


def views(e: Explanation, color_map: str, opacity: float, percentile: float) -> None:
    """Show every view of the attribution, in tabs."""
    found = result_store().once(
        ("views", color_map, opacity, percentile, e.question.key),
        lambda: {
            name: encode.jpeg(picture)
            for name, picture in render.views(e.attribution, e.view, opacity, color_map, percentile).items()
        },
    )
    described = render.VIEWS[render.kind(e.attribution)]
    for tab, (name, jpeg) in zip(st.tabs([tr_message(name) for name in found]), found.items(), strict=True):
        with tab:
            told = tr_message(described[name])
            st.image(jpeg, alt=f"{tr_message(name)}: {told}", width=448)
            st.caption(told)


def show_downloads(e: Explanation, experiment: Experiment, color_map: str, opacity: float, percentile: float) -> None:
    """Draw the downloads and the Python code of the heatmap."""
    picture, link = experiment.image.name, settings.link()
    name = text.file_name(picture, e.model, e.method, e.layer or "", e.label)

    def picture_of(view: str) -> bytes:
        return encode.png(render.views(e.attribution, e.view, opacity, color_map, percentile)[view])

    buttons = st.container(horizontal=True)
    for view in render.VIEWS[render.kind(e.attribution)]:
        buttons.download_button(
            f"{tr_message(view)} (PNG)",
            partial(picture_of, view),
            f"{name}-{text.file_name(view)}.png",
            "image/png",
            on_click="ignore",
        )
    buttons.download_button(
        tr("Raw values (NPZ)"), lambda: export.npz(e), f"{name}.npz", "application/zip", on_click="ignore"
    )
    buttons.download_button(
        tr("Settings (JSON)"), lambda: recipe.settings_json(e), f"{name}.json", "application/json", on_click="ignore"
    )
    buttons.download_button(
        tr("Recipe (JSON)"),
        lambda: recipe.recipe_json(e.question, picture),
        f"{name}-recipe.json",
        "application/json",
        on_click="ignore",
        help=tr(
            "Everything needed to compute it again: use `camviz.explain(**recipe)`, or 'Load a recipe' on this page."
        ),
    )
    language, say = translator()
    buttons.download_button(
        tr("Report (HTML)"),
        lambda: report.to_html(
            Message("Explanation of {picture} by {model}", model=e.model, picture=picture),
            report.explanation_sections(e, experiment.predictions, picture, color_map, opacity, percentile),
            link,
            language,
            say,
        ),
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )
    st.code(recipe.snippet(e.question, picture), language="python")


def _set_opacity(value: float) -> None:
    st.session_state["opacity"] = round(value, 2)
