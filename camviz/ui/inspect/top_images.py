"""The nine images with the strongest response of a feature map, each with its patch projected back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from ... import encode, render
from ...errors import CamvizError
from ...inspection.feature_maps import Peaks, TopActivation, peaks, top_activations
from ...inspection.receptive_field import Box
from ...messages import Message
from ..inputs import dataset_input, image_input
from ..inputs.experiment import Experiment
from ..inputs.image_input import InputImage
from ..results import cost, explanations
from ..server import tasks
from ..server.queue import ReportProgress, compute_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import tr
from ..session.markdown import escaped
from ..widgets.stage import receptive_field_of
from .feature_maps import TILE, cut, projection, square

IMAGES_SHOWN = 9


@dataclass(frozen=True)
class Candidate:
    """An image to search: its name, its digest, and a function that opens it (raises CamvizError)."""

    name: str
    digest: str
    open: Callable[[], InputImage]


def top_images(experiment: Experiment, number: int) -> None:
    """Show the images with the strongest response: each one's patch, and its projection."""
    chosen = _candidates()
    model = experiment.model
    digests = tuple(one.digest for one in chosen)
    smooth = bool(st.session_state.get("smooth", False))
    key = ("top images", experiment.fit, model.key, experiment.layer, number, smooth, digests)
    count = min(IMAGES_SHOWN, len(chosen))
    found = tasks.run(
        "top images",
        key,
        (len(chosen) + 8 * count) * cost.seconds_per_pass(model),
        tr("Find the {count} strongest of {total} images", count=count, total=len(chosen)),
        lambda report: _compute(experiment, number, chosen, report),
    )
    shown, broken = found or ([], [])
    for start in range(0, len(shown), 3):
        for place, (name, value, jpeg) in zip(st.columns(3), shown[start : start + 3], strict=False):
            alt = tr(
                "{image}: the patch with the strongest response of feature map {number}, and its projection",
                image=name,
                number=number,
            )
            place.image(jpeg, alt=alt, width="stretch")
            place.caption(f"{escaped(name)}: {value:.2g}")
    if broken:
        st.warning(tr("These images could not be read: {names}.", names=", ".join(map(escaped, broken))))


def _candidates() -> list[Candidate]:
    """Draw the choice of images to search, and return them."""
    every = list(image_input.choices().values())
    uploaded = [image for image in every if image.is_uploaded]
    places = {
        "all": Message("All images"),
        **({"samples": Message("Sample images"), "own": Message("Your own images")} if uploaded else {}),
        **({"gallery": Message("Your images on the page Dataset")} if dataset_input.uploaded_images() else {}),
    }
    chosen = settings.setting("search_in", "all", places)
    if len(places) > 1:
        st.segmented_control(
            tr("Search in"),
            places,
            format_func=lambda key: tr(places[key]),
            key="search_in",
            required=True,
            persist_state="session",
            help=tr("The page Dataset takes many images at once, or a ZIP file of them."),
        )
    if chosen == "gallery":
        found = dataset_input.uploaded_images()
        return [Candidate(image.name, image.digest, image.input_image) for image in found]
    images = uploaded if chosen == "own" else [image for image in every if chosen == "all" or not image.is_uploaded]
    return [Candidate(image.name, image.digest, partial(_itself, image)) for image in images]


def _itself(image: InputImage) -> InputImage:
    return image


def _compute(
    experiment: Experiment, number: int, chosen: Sequence[Candidate], report: ReportProgress
) -> tuple[list[tuple[str, float, bytes]], list[str]]:
    """Return name, strength and JPEG of the strongest responses, and the names of unreadable images."""
    found: list[Peaks] = []
    readable: list[Candidate] = []
    broken: list[str] = []
    for done, one in enumerate(chosen):
        report(0.5 * done / len(chosen), tr("{done} of {total} images searched", done=done, total=len(chosen)))
        try:
            found.append(_peaks(experiment, one))
            readable.append(one)
        except CamvizError:
            broken.append(one.name)
    strongest = top_activations(found, number, IMAGES_SHOWN)
    shown = []
    for done, top in enumerate(strongest):
        report(0.5 + 0.5 * done / len(strongest), tr("{done} of {total} projected", done=done, total=len(strongest)))
        one = readable[top.image]
        box = receptive_field_of(experiment.model, experiment.layer, top.row, top.column)
        shown.append((one.name, top.value, _pair(replace(experiment, image=one.open()), top, number, box)))
    return shown, broken


def _peaks(experiment: Experiment, one: Candidate) -> Peaks:
    model = experiment.model

    def make() -> Peaks:
        x = replace(experiment, image=one.open()).x
        with compute_queue().turn(lambda _: None):
            return peaks(model.net, x, model.module(experiment.layer))

    return result_store().once(("peaks", one.digest, experiment.fit, model.key, experiment.layer), make)


def _pair(experiment: Experiment, top: TopActivation, number: int, box: Box) -> bytes:
    """Return the patch of an activation beside its projection, if the deconvnet can be used, as a JPEG."""
    parts = [experiment.view]
    with suppress(CamvizError):  # the page already shows why
        e = explanations.compute(projection(experiment, number, top.row, top.column))
        parts.append(render.color(e.attribution))
    return encode.jpeg(np.concatenate([square(cut(part, box), 2 * TILE) for part in parts], axis=1))
