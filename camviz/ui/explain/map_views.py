"""A heatmap on the page Explain: overlay, views and downloads."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from ... import encode, export, render, report, text
from ...explanation import recipe
from ...explanation.explanation import Explanation
from ...messages import Message
from ...models import Prediction
from ...registry import METHODS
from ...scores import logit
from ...stage.look import Look
from ..inputs.experiment import Experiment
from ..results import explanations
from ..server.store import result_store
from ..session import settings
from ..session.language import tr, tr_message, translator
from ..widgets import stage as stages
from . import edit_result, hide_region, occlusion
from .edited import Edited

LARGE = 1024  # pixels of the longer side of downloaded images


def stage(e: Explanation, predicted: int, drawing: stages.Drawing | None = None) -> Look:
    """Show the heatmap on the stage, and return its look. `predicted` is the model's class."""
    look = stages.look()
    size = e.view.shape[0], e.view.shape[1]
    image = stages.original_of(e.question)
    alt = tr(
        "{method} of {label} over the image", method=tr_message(METHODS[e.method].title), label=tr_message(e.label)
    )
    peak = _peak(e, predicted)
    stages.stage("stage", image, size, stages.map_of(e), look, alt, stages.keep, peak=peak, drawing=drawing)
    return look


def _peak(e: Explanation, predicted: int) -> str:
    """Return how the peak compares with that of the predicted class, for a heatmap of another class."""
    question = e.question
    if question.class_index in (predicted, None) or not METHODS[e.method].class_specific:
        return ""
    other = question.replace(score=logit(predicted))
    best = explanations.known(other) if question.method.many_passes else explanations.compute(other)
    size = e.view.shape[0], e.view.shape[1]
    top = render.peak(best.attribution, size) if best else 0.0
    if top <= 0:
        return ""
    share = text.percent(render.peak(e.attribution, size) / top, 0)
    return tr(" = {share} of the peak for {label}", share=share, label=tr_message(question.model.categories[predicted]))


def views(e: Explanation, look: Look, percentile: float) -> None:
    """Show every view of the attribution, in tabs."""
    if e.attribution.ndim == 3:
        st.slider(
            tr("White point (percentile)"),
            90.0,
            100.0,
            step=0.5,
            key="percentile",
            persist_state="session",
            help=tr(
                "Values above this percentile are shown in white; otherwise a few strong pixels would make "
                "the rest look black."
            ),
        )
    found = result_store().once(
        ("views", look.colors, look.strength, percentile, e.question.key),
        lambda: {
            name: encode.jpeg(image)
            for name, image in render.views(e.attribution, e.view, look.strength, look.colors, percentile).items()
        },
    )
    described = render.VIEWS[render.kind(e.attribution)]
    for tab, (name, jpeg) in zip(st.tabs([tr_message(name) for name in found]), found.items(), strict=True):
        with tab:
            description = tr_message(described[name])
            st.image(jpeg, alt=f"{tr_message(name)}: {description}", width=448)
            st.caption(description)


def python_code(e: Explanation, experiment: Experiment) -> None:
    """Show the Python code that computes the heatmap."""
    name = experiment.image.name
    code = recipe.snippet(e.question, name) + hide_region.python_code() + occlusion.python_code(e, name)
    st.code(code, language="python")


def show_downloads(
    e: Explanation,
    experiment: Experiment,
    edit: Edited | None,
    predictions: Sequence[Prediction],
    look: Look,
    percentile: float,
) -> None:
    """Draw the menu of downloads."""
    question, link, tried, image_name = e.question, settings.link(), occlusion.read(experiment), experiment.image.name
    name = text.file_name(image_name, e.model, e.method, e.layer or "", e.label)

    def image_of(view: str) -> bytes:
        pixels = question.original_view(LARGE)
        return encode.png(render.views(e.attribution, pixels, look.strength, look.colors, percentile)[view])

    buttons = st.popover(tr("Download"), icon=":material/download:")
    for view in render.VIEWS[render.kind(e.attribution)]:
        buttons.download_button(
            f"{tr_message(view)} (PNG)",
            partial(image_of, view),
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
        lambda: recipe.recipe_json(e.question, image_name),
        f"{name}-recipe.json",
        "application/json",
        on_click="ignore",
        help=tr(
            "Everything needed to compute it again: use `camviz.explain(**recipe)`, or 'Load a recipe' on this page."
        ),
    )
    language, say = translator()

    hidden = hide_region.sections(e)
    guess = st.session_state["guess"]

    def make_report() -> str:
        title = Message("Explanation of {image} by {model}", model=e.model, image=image_name)
        before = explanations.untouched(question)
        sections = report.explanation_sections(
            e, predictions, image_name, look.colors, look.strength, percentile, before
        )
        sections[2:2] = [*hidden(), *([occlusion.section(experiment, tried)] if tried else [])]
        if edit is not None:
            sections = edit_result.in_report(sections, experiment, edit, guess)
        return report.to_html(title, sections, link, language, say)

    buttons.download_button(
        tr("Report (HTML)"),
        make_report,
        f"{name}.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )
