"""The image at each step of deletion or insertion, with the class's probability there; the browser composes it."""

import base64
from dataclasses import dataclass
from math import nan

import numpy as np

from ... import encode
from ...evaluation.perturbation_curve import Curve, Filler, filler_image, replacement_steps
from ...evaluation.registry import Metric
from ...explanation.explanation import Explanation
from ...measurement import subject_of
from ...messages import Message
from ...models import Model
from ...text import percent, shown_answer
from ..server.store import result_store
from ..session.language import tr, tr_message
from ..session.streamlit_internals import media_address
from ..widgets import perturbation, stage


@dataclass(frozen=True)
class Replacement:
    """The image that replaces the removed pixels, as a JPEG, and the step at which each pixel is replaced, (H, W)."""

    filler: bytes
    steps: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def replacement(e: Explanation, steps: int, filler: Filler) -> Replacement:
    """Return the replacement of the pixels of an image in a test of `steps` steps, in the order of its heatmap."""

    def make() -> Replacement:
        subject = subject_of(e)
        image = e.question.model.denormalize(filler_image(subject.x, filler)[0])
        return Replacement(encode.jpeg(image), replacement_steps(subject.heatmap, steps).cpu().numpy().astype(np.uint8))

    return result_store().once(("replacement", e.question.key, steps, filler), make)


def readouts(model: Model, metric: Metric, curve: Curve, label: str) -> list[str]:
    """Return a sentence for each step: the share of replaced pixels and the class's probability."""
    template = (
        Message("{share} of the pixels inserted: the probability of {label} is {probability}.")
        if metric.key == "insertion"
        else Message("{share} of the pixels deleted: the probability of {label} is {probability}.")
    )
    return [
        Message(
            template,
            share=percent(share, 0, exact=True),
            label=label,
            probability=shown_answer(*((value, nan) if model.has_probabilities else (nan, value)), model.unit, 0),
        )
        for share, value in zip(curve.fractions, curve.values, strict=True)
    ]


def draw(e: Explanation, metric: Metric, curve: Curve, filler: Filler, label: str, first: float) -> None:
    """Show the image at one step, with a slider for the step that starts at the share `first` of the pixels."""
    question, steps, name = e.question, len(curve.values) - 1, f"perturbation.{metric.key}"
    found = replacement(e, steps, filler)
    image = media_address(stage.original(question.model, question.image, question.fit), "image/jpeg", f"{name}.image")
    replaced = media_address(found.filler, "image/jpeg", f"{name}.filler")
    inserted = metric.key == "insertion"
    highest = max(1.0, *curve.values)
    line = perturbation.Line("", [max(0.0, value) / highest for value in curve.values], [""] * (steps + 1))
    perturbation.show(
        name,
        (found.steps.shape[0], found.steps.shape[1]),
        {
            "start": replaced if inserted else image,
            "end": image if inserted else replaced,
            "steps": base64.b64encode(found.steps.tobytes()).decode(),
        },
        [line],
        perturbation.Words(
            tr("Image at the step that the slider shows"),
            tr("Share of the pixels inserted") if inserted else tr("Share of the pixels deleted"),
            [tr_message(one) for one in readouts(question.model, metric, curve, label)],
        ),
        max(1, round(first * steps)),
    )
