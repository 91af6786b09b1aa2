"""Feature maps on the page Inspect: a grid of all, and one in detail."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ... import encode, render
from ...errors import CamvizError
from ...explanation.question import Question
from ...feature_visualization import stored, synthesize
from ...inspection.feature_maps import FeatureMaps, SortOrder
from ...inspection.receptive_field import Box
from ...models import Model
from ...registry import METHODS
from ...stage.look import Look
from ...stage.stage_map import StageMap
from ..components import browser
from ..inputs.experiment import Experiment
from ..results import cost, explanations
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from ..session.settings import setting
from ..widgets import patch, stage
from .feature_map_order import SORT_ORDERS, class_name, key_of, order, through_channel

RGB = NDArray[np.uint8]

PAGE = 24  # feature maps on one page
TILE = 112  # pixels of a feature map's image
STEPS = 64  # of a synthesized image
SHOWN = 200  # pixels of its width on the page


def grid(experiment: Experiment, found: FeatureMaps, chosen: int, color_map: str) -> None:
    """Show all feature maps in pages; a click selects one."""
    count = len(found.maps)
    pages = -(-count // PAGE)
    by = order(found)
    page = setting("maps", 1, range(1, pages + 1), int)
    st.segmented_control(
        tr("Sort by"),
        SORT_ORDERS,
        format_func=lambda by: tr(SORT_ORDERS[by]),
        key="sort",
        required=True,
        persist_state="session",
        help=tr(
            "Strength: the largest activation. Weight: how much the score grows with the feature map, averaged "
            "over its cells, as in Grad-CAM. Relevance: the share of the score that relevance propagation assigns to "
            "the feature map."
        ),
    )
    numbers = found.order(by)[(page - 1) * PAGE : page * PAGE].tolist()
    items = [
        (
            one,
            tr(
                "Feature map {number}, maximum {most}, weight {weight}",
                number=one,
                most=f"{found.strengths[one]:.2g}",
                weight=f"{found.weights[one]:.2g}",
            ),
            f"{one}\n{_value(found, one, by)}",
            jpeg,
        )
        for one, jpeg in zip(numbers, _tiles(experiment, found, numbers, color_map), strict=True)
    ]
    browser.tiles(tr("Feature maps of {layer}", layer=experiment.layer), items, chosen, _choose_map, width=72)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    row.number_input(
        tr("Feature map number"),
        0,
        count - 1,
        None,
        key="map",
        placeholder=tr("first"),
        persist_state="session",
        width=180,
        help=tr("The number of a feature map, from 0. Empty: the first in this order."),
    )
    if pages > 1:
        row.pagination(pages, key="maps", persist_state="session")
    st.caption(
        tr(
            "A feature map is one channel of a layer: it shows where the model detects one kind of pattern. "
            "High values: detected; low values: not detected (zero or negative). Each has its own scale up to "
            "its *max*; *w* is its weight for {label}: how much that score grows with the feature map.",
            label=escaped(class_name(experiment)),
        )
    )
    if by == "relevance":
        st.caption(
            tr(
                "Each percentage is a share of the relevance for {label} in this layer. A negative one speaks against "
                "it. The absolute values add up to 100%.",
                label=escaped(class_name(experiment)),
            )
        )


def _value(found: FeatureMaps, number: int, by: SortOrder) -> str:
    """Return the value of a feature map by which it is sorted, in short."""
    if by == "relevance" and found.relevances is not None:
        return f"{found.relevances[number]:.1%}"
    return f"w {found.weights[number]:.1g}" if by == "weight" else f"max {found.maps[number].max():.2g}"


def _tiles(experiment: Experiment, found: FeatureMaps, numbers: Sequence[int], color_map: str) -> list[bytes]:
    return result_store().once(
        ("feature map tiles", key_of(experiment), tuple(numbers), color_map),
        lambda: [encode.jpeg(map_image(found.maps[number], color_map)) for number in numbers],
    )


def map_image(one: NDArray[np.float32], color_map: str) -> RGB:
    """Return a feature map (h, w) in colors: darkest at zero and below, brightest at its maximum."""
    image = Image.fromarray(render.colorize(render.minmax(one.clip(min=0), low=0), color_map))
    small = max(image.size) <= TILE
    tall = round(TILE * image.height / image.width)
    return np.array(image.resize((TILE, tall), Image.Resampling.NEAREST if small else Image.Resampling.BOX))


def over_image(experiment: Experiment, one: NDArray[np.float32], number: int, look: Look) -> None:
    """Show a feature map over the image, on the stage."""
    alt = tr("Feature map {number} of {layer} over the image", number=number, layer=experiment.layer)
    image = stage.original(experiment.model, experiment.image.decoded, experiment.fit)
    stage.stage("map_stage", image, experiment.model.input_size, StageMap.of(one), look, alt, stage.keep)


def relevance_through(experiment: Experiment, number: int, color_map: str) -> None:
    """Show the pixels that contribute to the score through a feature map, over the image."""
    label = class_name(experiment)
    try:
        e = explanations.compute(through_channel(experiment, number))
    except CamvizError as error:
        st.warning(error_text(error))
        return
    jpeg = result_store().once(
        ("small overlay", color_map, e.question.key),
        lambda: encode.jpeg(render.overlay(e.view, e.heatmap, 0.6, color_map)),
    )
    alt = tr("Relevance for {label} through feature map {number}, over the image", label=label, number=number)
    st.image(jpeg, alt=alt, width=SHOWN)
    st.caption(
        tr("Pixels that contribute to {label} through this feature map", label=escaped(label)),
        help=tr_message(METHODS["concept_relevance"].tooltip),
    )


def strongest_patch(experiment: Experiment, found: FeatureMaps, number: int) -> None:
    """Show the strongest activation of a feature map, projected back, beside its patch of the image."""
    place = st.container()
    _extension()
    row, column = np.unravel_index(int(found.maps[number].argmax()), found.maps[number].shape)
    with place:
        try:
            e = explanations.compute(projection(experiment, number, int(row), int(column)))
        except CamvizError as error:
            st.warning(error_text(error))
        else:
            patch.patch(e)
            for note in e.notes:
                st.info(escaped(tr_message(note)))


def _extension() -> None:
    """Draw the toggle that applies the deconvnet to smooth activations, too."""
    settings.setting("smooth", False, (False, True), lambda text: text == "1", lambda _: "1")
    st.toggle(
        tr("Include smooth activations"),
        key="smooth",
        persist_state="session",
        help=tr(
            "The deconvnet is defined for ReLU only. This applies it to SiLU, GELU and similar functions in the "
            "same way, which the paper does not define."
        ),
    )


def cut(image: RGB, box: Box) -> RGB:
    """Return the part of an image (H, W, 3) in a box."""
    top, left, bottom, right = box
    return image[top:bottom, left:right]


def square(image: RGB, side: int) -> RGB:
    """Enlarge an image into a gray square, keeping its proportions."""
    large = ImageOps.pad(Image.fromarray(image), (side, side), Image.Resampling.BICUBIC, (128, 128, 128))
    return np.array(large)


def synthesized_image(experiment: Experiment, number: int) -> None:
    """Show an image synthesized to maximize the feature map: a stored one, or one that a click computes."""
    model, layer = experiment.model, experiment.layer
    place = st.empty()
    steps, size = STEPS, model.input_size
    jpeg = stored_jpeg(model, layer, number)
    if jpeg is not None:
        steps, size = stored.STEPS, (stored.SIZE, stored.SIZE)
    else:
        key = ("synthesized_image", model.key, layer, number, STEPS)
        seconds = 2.5 * STEPS * cost.seconds_per_pass(model)
        jpeg = tasks.run(
            "synthesized_image",
            key,
            seconds,
            tr("Synthesize an image"),
            lambda report: _synthesize(experiment, number, place, report),
        )
    if jpeg:
        alt = tr("Synthesized image for feature map {number} of {layer}", number=number, layer=layer)
        place.image(jpeg, alt=alt, width=SHOWN)
    st.caption(
        tr("Synthesized input: {steps} steps, {height} × {width} pixels", steps=steps, height=size[0], width=size[1]),
        help=tr(
            "Computed from noise to maximize this feature map. It mixes what the feature map responds to with "
            "artifacts of the optimization."
        ),
    )
    st.button(
        tr("Open in Feature visualization"),
        icon=":material/auto_awesome:",
        type="tertiary",
        on_click=_visualize,
        args=(number,),
    )


def _synthesize(experiment: Experiment, number: int, place: Any, report: ReportProgress) -> bytes:
    with in_queue(report) as progress:

        def show(done: int, total: int, frame: RGB) -> None:
            place.image(encode.jpeg(frame), alt=tr("The image during synthesis"), width=SHOWN)
            progress(done, total)

        made = synthesize(
            experiment.model,
            "activation_maximization",
            layer=experiment.layer,
            channel=number,
            steps=STEPS,
            progress=show,
        )
    return encode.jpeg(made.image)


def stored_jpeg(model: Model, layer: str, number: int) -> bytes | None:
    """Return the stored visualization of a channel as a JPEG, or None."""

    def find() -> bytes:
        image = stored.stored_image(model, layer, number)
        return b"" if image is None else encode.jpeg(image)

    return result_store().once(("stored image", model.key, layer, number), find) or None


def _visualize(number: int) -> None:
    st.session_state.update(
        {
            "inside": "visualization",
            "dream": "activation_maximization",
            "dream.for": "channel",
            "activation_maximization.channel": number,
        }
    )


def projection(experiment: Experiment, number: int, row: int | None = None, column: int | None = None) -> Question:
    """Return the question by which the deconvnet projects one activation back; its strongest one if no place is given.

    Raises CamvizError.
    """
    given = {"feature_map": number, "row": row, "column": column, "extended": st.session_state.get("smooth", False)}
    return experiment.question(METHODS["deconvnet"], METHODS["deconvnet"].settings(given))


def _choose_map(number: int) -> None:
    st.session_state["map"] = number
