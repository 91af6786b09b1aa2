"""What the Layers page draws of feature maps: a grid of all, one over the picture, and what it answers to."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from .. import export, render
from ..errors import CamvizError
from ..feature_maps import By, FeatureMaps, Find, Peaks, feature_maps, peaks, strongest_finds
from ..feature_visualization import synthesize
from ..layer_table import blank
from ..receptive_field import Box, receptive_fields
from ..registry import METHODS
from ..scores import contrast
from . import browser, cache, panels, pictures, state, tasks
from .controls import Experiment
from .markdown import escaped

RGB = NDArray[np.uint8]

PAGE = 24  # feature maps in one page
TILE = 112  # pixels of a feature map's picture
NINE = 9
STEPS = 64  # of a synthesised favourite
BYS: dict[By, str] = {"strength": "strength", "weight": "weight for the class", "number": "number"}
OVER = {"all": "all pictures", "samples": "the samples", "own": "my own pictures"}


def maps_of(experiment: Experiment) -> FeatureMaps | None:
    """The feature maps of the experiment's layer, and their weights for what is explained; None with a word why."""
    if not experiment.layer:
        st.info("This network has no feature maps: none of its layers keeps the places of the picture apart.")
        return None
    try:
        return _maps(_key(experiment), repr(experiment.score), experiment)
    except CamvizError as error:
        st.error(f"{str(error)[:1].upper()}{str(error)[1:]}.")
        return None


@st.cache_data(show_spinner=False, max_size="128MB")
def _maps(key: Any, score: str, _experiment: Experiment) -> FeatureMaps:
    model, x = _experiment.model, _input(_experiment)
    with cache.turns().turn(lambda _: None):
        return feature_maps(model.net, x, _experiment.score, model.module(_experiment.layer))


def grid(experiment: Experiment, found: FeatureMaps, colour_map: str) -> int:
    """All feature maps in pages, in the order that the visitor chooses; a click, or its number, chooses one."""
    of = experiment.model.name, experiment.layer
    if st.session_state.get("maps_of", of) != of:
        st.session_state["map"], st.session_state["maps"] = None, 1
    st.session_state["maps_of"] = of
    count = len(found.maps)
    pages = -(-count // PAGE)
    by: By = state.setting("sort", "strength", BYS)
    number = state.setting("map", None, state.Span(0, count - 1, optional=True), int)
    page = state.setting("maps", 1, range(1, pages + 1), int)
    settings = st.container(horizontal=True, vertical_alignment="bottom")
    settings.segmented_control(
        "Sorted by",
        BYS,
        format_func=BYS.__getitem__,
        key="sort",
        required=True,
        persist_state="session",
        help="Strength: the strongest activation. Weight: how much the score grows with the map, on average over its "
        "places; Grad-CAM gives it this weight.",
    )
    settings.number_input(
        "Number of the map", 0, count - 1, None, key="map", placeholder="the first", persist_state="session", width=180
    )
    order = found.order(by)
    chosen = int(order[0]) if number is None else int(number)
    strengths, numbers = found.strengths, order[(page - 1) * PAGE : page * PAGE].tolist()
    items = [
        (
            one,
            f"Feature map {one}, at most {strengths[one]:.2g}, weight {found.weights[one]:.2g}",
            f"{one}\nmax {strengths[one]:.2g}\nw {found.weights[one]:.1g}",
            jpeg,
        )
        for one, jpeg in zip(numbers, _tiles(_key(experiment), tuple(numbers), colour_map, found), strict=True)
    ]
    browser.tiles(f"Feature maps of {experiment.layer}", items, chosen, _choose_map)
    if pages > 1:
        st.pagination(pages, key="maps", persist_state="session")
    return chosen


@st.cache_data(show_spinner=False, max_size="64MB")
def _tiles(key: Any, numbers: tuple[int, ...], colour_map: str, _found: FeatureMaps) -> list[bytes]:
    return [export.jpeg(map_picture(_found.maps[number], colour_map)) for number in numbers]


def map_picture(one: NDArray[np.float32], colour_map: str) -> RGB:
    """A feature map (h, w) alone: darkest at zero and below, brightest at its maximum; its places as squares."""
    picture = Image.fromarray(render.colourise(render.minmax(one.clip(min=0), low=0), colour_map))
    small = max(picture.size) <= TILE
    tall = round(TILE * picture.height / picture.width)
    return np.array(picture.resize((TILE, tall), Image.Resampling.NEAREST if small else Image.Resampling.BOX))


def over_picture(experiment: Experiment, one: NDArray[np.float32], number: int, colour_map: str) -> None:
    """A feature map over the picture, with an opacity that moves in the browser."""
    opacity = state.setting("opacity", 0.5, state.Span(0, 1), float)
    base, heat = _map_jpegs(_key(experiment), number, colour_map, experiment, one)
    alt = f"Feature map {number} of {experiment.layer} over the picture"
    browser.overlay(base, heat, opacity, alt, lambda value: st.session_state.update(opacity=round(value, 2)))


@st.cache_data(show_spinner=False, max_size="32MB")
def _map_jpegs(key: Any, number: int, colour_map: str, _experiment: Experiment, _one: Any) -> tuple[bytes, bytes]:
    view = _experiment.model.view(_experiment.picture.image, _experiment.fit)
    heat = render.minmax(render.upsample(_one, view.shape[:2]).clip(min=0), low=0)
    return export.jpeg(view), export.jpeg(render.colourise(heat, colour_map))


def excited(experiment: Experiment, found: FeatureMaps, number: int) -> None:
    """The strongest activation of a map in this picture, projected back, beside the patch that it sees."""
    _extension()
    row, column = np.unravel_index(int(found.maps[number].argmax()), found.maps[number].shape)
    try:
        knobs = _knobs(number, int(row), int(column))
        e = panels.compute(experiment, METHODS["deconvnet"], knobs, lambda *_: None)
    except CamvizError as error:
        st.warning(f"{str(error)[:1].upper()}{str(error)[1:]}.")
    else:
        panels.patch(e, experiment)
        for note in e.notes:
            st.info(note)


def _extension() -> None:
    """Whether the deconvnet is applied to smooth activations too, which its paper does not define."""
    state.setting("smooth", False, (False, True), lambda text: text == "1", lambda _: "1")
    st.toggle(
        "Smooth activations too",
        key="smooth",
        persist_state="session",
        help="The deconvnet, which projects back, is defined for ReLU alone. With this it treats SiLU, GELU and their "
        "kin in the same way, which the paper does not define.",
    )


def nine(experiment: Experiment, number: int) -> None:
    """The pictures that excite a feature map most: each one's patch, and the activation projected back beside it."""
    chosen = _over()
    model = experiment.model
    knobs = _knobs(number)
    digests = tuple(picture.digest for picture in chosen)
    key = ("nine", *_key(experiment)[1:], tuple(knobs.items()), digests)
    count = min(NINE, len(chosen))
    found = tasks.run(
        "nine",
        key,
        (len(chosen) + 8 * count) * tasks.seconds_of_pass(model),
        f"Find the {count} strongest of {len(chosen)} pictures",
        lambda report: _nine(experiment, number, chosen, report),
    )
    shown = found or []
    for start in range(0, len(shown), 3):
        for place, (which, value, jpeg) in zip(st.columns(3), shown[start : start + 3], strict=False):
            name = chosen[which].name
            alt = f"{name}: the patch that excites feature map {number} most, and what is projected back from there"
            place.image(jpeg, alt=alt, width="stretch")
            place.caption(f"{escaped(name)}: {value:.2g}")


def _over() -> list[pictures.Picture]:
    """The pictures to search in: all, or where the visitor has brought some, only these or only the samples."""
    every = list(pictures.choices().values())
    if not any(picture.own for picture in every):
        return every
    over = state.setting("over", "all", OVER)
    st.segmented_control(
        "Search in", OVER, format_func=OVER.__getitem__, key="over", required=True, persist_state="session"
    )
    return [picture for picture in every if over == "all" or picture.own == (over == "own")]


def _nine(
    experiment: Experiment, number: int, chosen: Sequence[pictures.Picture], report: tasks.Report
) -> list[tuple[int, float, bytes]]:
    model, every = experiment.model, [replace(experiment, picture=picture) for picture in chosen]
    layer = model.module(experiment.layer)
    found = []
    for done, one in enumerate(every):
        report(0.3 * done / len(every), f"{done} of {len(every)} pictures looked at")
        found.append(_peaks(one))
    finds = strongest_finds(found, number, NINE)
    with tasks.turn(report, 0.3, 0.7) as progress:
        places = [(layer, find.row, find.column) for find in finds]
        boxes = receptive_fields(model.net, blank(model), places, progress)
    made = []
    for done, (find, box) in enumerate(zip(finds, boxes, strict=True)):
        report(0.7 + 0.3 * done / len(finds), f"{done} of {len(finds)} projected back")
        made.append((find.picture, find.value, _pair(every[find.picture], find, number, box)))
    return made


def _peaks(experiment: Experiment) -> Peaks:
    model = experiment.model

    def make() -> Peaks:
        with cache.turns().turn(lambda _: None):
            return peaks(model.net, _input(experiment), model.module(experiment.layer))

    return tasks.once(("peaks", _key(experiment)), make)


def _pair(experiment: Experiment, find: Find, number: int, box: Box) -> bytes:
    """The patch that an activation sees, and beside it what the deconvnet projects back, where it can."""
    parts = [experiment.model.view(experiment.picture.image, experiment.fit)]
    with suppress(CamvizError):  # the page has told why
        knobs = _knobs(number, find.row, find.column)
        e = panels.compute(experiment, METHODS["deconvnet"], knobs, lambda *_: None)
        parts.append(render.colour(e.attribution))
    return export.jpeg(np.concatenate([square(cut(part, box), 2 * TILE) for part in parts], axis=1))


def cut(picture: RGB, box: Box) -> RGB:
    """The part of a picture (H, W, 3) in a box."""
    top, left, bottom, right = box
    return picture[top:bottom, left:right]


def square(picture: RGB, side: int) -> RGB:
    """A picture enlarged into a grey square, in its own proportions."""
    large = ImageOps.pad(Image.fromarray(picture), (side, side), Image.Resampling.BICUBIC, (128, 128, 128))
    return np.array(large)


def favourite(experiment: Experiment, number: int) -> None:
    """A picture that is synthesised to excite the feature map as much as it can."""
    model, layer = experiment.model, experiment.layer
    place = st.empty()

    def work(report: tasks.Report) -> bytes:
        with tasks.turn(report) as progress:

            def show(done: int, total: int, frame: RGB) -> None:
                place.image(export.jpeg(frame), alt="The picture while it grows", width="stretch")
                progress(done, total)

            made = synthesize(model, "activation_maximization", layer=layer, channel=number, steps=STEPS, progress=show)
        return export.jpeg(made.picture)

    key = ("favourite", tasks.network_key(model), layer, number, STEPS)
    seconds = 4 * STEPS * tasks.seconds_of_pass(model)
    jpeg = tasks.run("favourite", key, seconds, "Synthesise it", work)
    if jpeg:
        alt = f"A synthesised picture that excites feature map {number} of {layer}"
        place.image(jpeg, alt=alt, width="stretch")
    st.caption(
        f"A picture that is made to excite this map, out of noise in {STEPS} steps. It mixes what the map answers to "
        "with what the making likes to draw."
    )
    if st.button("Go on with it on the Dream page", icon=":material/auto_awesome:"):
        st.session_state.update(
            {"dream": "activation_maximization", "dream.for": "a channel", "activation_maximization.channel": number}
        )
        st.switch_page("pages/dream.py")


def class_name(experiment: Experiment) -> str:
    """What is explained, in words."""
    score, names = experiment.score, experiment.model.categories
    if isinstance(score, contrast):
        return f"{names[score.a]} rather than {names[score.b]}"
    return names[getattr(score, "c", 0)]


def _knobs(number: int, row: int | None = None, column: int | None = None) -> dict[str, Any]:
    """The settings of the deconvnet that projects one activation back."""
    given = {"feature_map": number, "row": row, "column": column, "extended": st.session_state.get("smooth", False)}
    return METHODS["deconvnet"].settings(given)


def _choose_map(number: int) -> None:
    st.session_state["map"] = number


def _key(experiment: Experiment) -> tuple[Any, ...]:
    network = tasks.network_key(experiment.model)
    return experiment.picture.digest, experiment.fit, network, experiment.layer


def _input(experiment: Experiment) -> Tensor:
    return experiment.model.preprocess(experiment.picture.image, experiment.fit)
