"""An image with a high score for a class in which no person sees it: gradient ascent without regularization."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from ... import encode
from ...feature_visualization import synthesize
from ...models import Prediction
from ...registry import SYNTHESES
from ...scores import logit
from ..inputs.experiment import Experiment
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..session.language import sources, tr, tr_message
from ..session.markdown import escaped

SETTINGS: dict[str, Any] = {"regularized": False, "steps": 128}
PASSES = 4  # duration of a step, in forward passes
WIDTH = 300  # pixels


@dataclass(frozen=True)
class ClassImage:
    """The synthesized image of a class, (H, W, 3), as a PNG too, and what the model predicts for it."""

    label: str
    pixels: NDArray[np.uint8] = field(repr=False)
    png: bytes = field(repr=False)
    predictions: tuple[Prediction, ...]


def draw(experiment: Experiment, index: int) -> ClassImage | None:
    """Draw the image of a class, which a click computes, and return it."""
    model, label = experiment.model, experiment.model.categories[index]
    if not model.has_probabilities:
        return None
    st.header(escaped(tr("An image that only the model takes for {label}", label=label)), anchor=False)
    st.caption(
        tr(
            "Gradient ascent from gray to the highest score of the class, without anything that keeps the image "
            "natural ({steps} steps).",
            steps=SETTINGS["steps"],
        )
        + f" {sources(SYNTHESES['class_image'])}"
    )

    def work(report: ReportProgress) -> ClassImage:
        with in_queue(report) as progress:
            made = synthesize(
                model,
                "class_image",
                target=logit(index),
                progress=lambda done, total, frame: progress(done, total),
                **SETTINGS,
            )
            predictions = model.predict(Image.fromarray(made.image), 3, "stretch")
        return ClassImage(label, made.image, encode.png(made.image), predictions)

    key = ("unregularized class image", model.key, index)
    seconds = PASSES * SETTINGS["steps"] * cost.seconds_per_pass(model)
    found = tasks.run("class_image", key, seconds, tr("Synthesize the image"), work, ask="always", kind="secondary")
    if found is None:
        return None
    picture, said = st.columns([1, 2], gap="medium")
    first = found.predictions[0]
    picture.image(found.png, alt=tr("Synthesized image for {label}", label=label), width=WIDTH)
    said.markdown(
        tr(
            "The model predicts **{label}** with {share}. To a person it is noise: a high probability does not need an "
            "object that a person recognizes."
            if first.index == index
            else "The model predicts **{label}** with {share}: the search ended at an image of another class.",
            label=escaped(tr_message(first.label)),
            share=tr_message(first.shown()),
        )
    )
    return found
