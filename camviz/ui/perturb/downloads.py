"""The downloads of the page Perturb: a report as one HTML file, and its numbers as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from ... import report, text
from ...explanation import recipe
from ...messages import Message
from ...models import Prediction
from ...report import Section
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr, translator


def offer(
    experiment: Experiment,
    title: str,
    sections: Callable[[], Sequence[Section]],
    asked: Callable[[], Mapping[str, Any]],
    numbers: Callable[[], Mapping[str, Any]],
    code: str,
    name: str,
) -> None:
    """Draw the downloads. The functions are called when a download is clicked; they must not draw.

    `asked` returns the settings and the recipes of the heatmaps, `numbers` what came out. `code` is the Python code,
    `name` tells the files of an experiment from others.
    """
    link, (language, say) = settings.link(), translator()
    stem = text.file_name(experiment.image.name, experiment.model.name, name)

    def settings_json(**more: Any) -> str:
        return json.dumps({**_about(experiment), **asked(), **more}, indent=2, ensure_ascii=False)

    def make() -> str:
        shown = experiment.view, experiment.image.name, experiment.predictions
        whole = [report.prediction_section(experiment.model, *shown), *sections(), _settings(experiment)]
        whole.append(Section(report.AGAIN, report.PYTHON, code=[code, settings_json()]))
        return report.to_html(title, whole, link, language, say)

    row = st.container(key="perturb_downloads", horizontal=True)
    row.download_button(
        tr("Report (HTML)"),
        make,
        f"{stem}.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )
    row.download_button(
        tr("Settings and numbers (JSON)"),
        lambda: settings_json(**numbers()),
        f"{stem}.json",
        "application/json",
        on_click="ignore",
        help=tr(
            "All settings and numbers. Each recipe in it computes a heatmap again: use `camviz.explain(**recipe)`."
        ),
    )


def prediction_data(one: Prediction) -> dict[str, Any]:
    """Return a prediction as data."""
    known = one.probability == one.probability  # a network without probabilities has NaN, which is not JSON
    answer = {"probability": one.probability} if known else {"value": one.value, "unit": one.unit}
    return {"index": one.index, "label": one.label, **answer}


def _about(experiment: Experiment) -> dict[str, Any]:
    model = experiment.model
    return {
        "made_with": recipe.versions(),
        "model": {"name": model.name, "weights": model.weights.argument},
        "image": {"file": experiment.image.name, "sha256": experiment.image.digest},
        "fit": experiment.fit,
    }


def _settings(experiment: Experiment) -> Section:
    model = experiment.model
    table = [
        report.HEAD,
        (Message("model"), f"{model.name} ({model.weights})"),
        (Message("layer"), ", ".join(experiment.layers)),
        (Message("image fit"), Message(experiment.fit)),
        (Message("image's sha256"), experiment.image.digest),
    ]
    return Section(Message("Settings"), table=[row for row in table if row[1]])
