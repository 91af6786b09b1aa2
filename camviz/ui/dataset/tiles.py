"""One method on many images: computed a few at a time, shown as tiles, sorted and filtered."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import streamlit as st

from ... import captions, encode, render
from ...batch import Item, Job, Outcome, Worker
from ...explanation.question import Question
from ...registry import METHODS, Method
from ...stage.stage_map import StageMap
from ..components import browser
from ..inputs import dataset_input
from ..inputs.dataset_input import DatasetImage
from ..inputs.experiment import Experiment
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session.language import error_text, tr, tr_class, tr_message
from ..session.markdown import escaped
from ..session.settings import many, setting, switch
from ..widgets import stage


@dataclass(frozen=True)
class Tile:
    """The result for one image: prediction, overlay and reading, or the error."""

    predicted: str = ""
    probability: float = 0.0
    shown: str = ""
    explained: str = ""
    explained_probability: float = 0.0
    sparseness: float = 0.0
    reading: str = ""
    caution: str = ""
    error: str = ""
    overlay: bytes = field(default=b"", repr=False)
    shown_map: StageMap | None = field(default=None, repr=False)


Found = tuple[DatasetImage, Tile]
WIDTH = 116  # pixels of a tile, at least
AT_ONCE = 4  # images between two looks at the page
ORDERS: dict[str, tuple[str, Callable[[Found], Any]]] = {
    "name": ("name", lambda found: found[0].name.lower()),
    "class": ("predicted class", lambda found: (tr_message(found[1].predicted).lower(), -found[1].probability)),
    "unsure": ("lowest probability first", lambda found: found[1].probability),
    "sure": ("highest probability first", lambda found: -found[1].probability),
    "sparse": ("smallest region first", lambda found: -found[1].sparseness),
    "spread": ("largest region first", lambda found: found[1].sparseness),
}


def compute(experiment: Experiment, question: Question, place: Any) -> list[Found]:
    """Return the finished tiles of the dataset's images, after computing missing ones.

    While it computes, `place` shows those that are finished, with gaps for the others.
    """
    images = dataset_input.dataset_images()
    job = _job(experiment, question)
    keys = {image.name: _key(experiment, job, image) for image in images}
    missing = [image for image in images if result_store().get(keys[image.name]) is None]

    def finished() -> list[Found]:
        return [(image, tile) for image in images if (tile := result_store().get(keys[image.name])) is not None]

    looks = count()

    def show() -> None:
        done = finished()
        with spot.container():
            tiles([one for one in done if not one[1].error], len(images) - len(done), f"tiles.{next(looks)}")

    if missing:
        quick = not question.method.many_passes
        each = cost.explanation_seconds(question, batched=True)
        box, spot = st.container(), place.empty()
        tasks.run(
            "dataset",
            ("dataset", *keys.values()),
            len(missing) * each,
            tr("Explain {count} images", count=len(missing)),
            lambda report: _work(Worker(job, experiment.model), missing, keys, each, report, show),
            ask="never" if quick else "if slow",
            keep=False,
            keeps=tr("Keeps the finished heatmaps."),
            place=box,
        )
        spot.empty()
    return finished()


def _work(
    worker: Worker,
    missing: Sequence[DatasetImage],
    keys: Mapping[str, Hashable],
    each: float,
    report: ReportProgress,
    show: Callable[[], None],
) -> int:
    """Compute the missing tiles, each of `each` expected seconds; call `show` before, and after every few."""
    (method,) = worker.job.methods
    size = 1 if METHODS[method].many_passes else AT_ONCE
    groups = [missing[start : start + size] for start in range(0, len(missing), size)]

    def finished(done: int) -> str:
        return tr("{done} of {total} images", done=done * size, total=len(missing))

    show()
    parts = tasks.parts_of(report, [each * len(group) for group in groups], finished)
    for group, part in zip(groups, parts, strict=True):
        images = worker.read([Item(image.name, image.data, worker.job.methods) for image in group])
        with in_queue(part) as progress:
            for outcome in worker.explain(images, partial(progress, 0, 1)):
                result_store().put(keys[outcome.name], _tile(outcome))
        show()
    return len(missing)


def _job(experiment: Experiment, question: Question) -> Job:
    method = question.method
    rival = experiment.rival if 0 <= experiment.target != experiment.rival >= 0 else None
    return Job(
        model=experiment.model.name,
        methods=(method.key,),
        target=experiment.target if experiment.target >= 0 else None,
        rather_than=rival,
        layer=",".join(question.layers) or None,
        fit=question.fit,
        fuse=question.fusion,
        knobs={method.key: dict(question.settings)},
    )


def _key(experiment: Experiment, job: Job, image: DatasetImage) -> Hashable:
    return "dataset", image.digest, experiment.model.key, job.settings_of(job.methods[0])


def _tile(outcome: Outcome) -> Tile:
    e, predicted = outcome.explanation, outcome.predicted
    if e is None or predicted is None:
        return Tile(error=outcome.error)
    return Tile(
        predicted=predicted.label,
        probability=predicted.probability,
        shown=predicted.shown(),
        explained=e.label,
        explained_probability=e.probability,
        sparseness=outcome.metrics.get("sparseness", 0.0),
        reading=captions.reading(e, predicted),
        caution=captions.caution(e),
        overlay=encode.jpeg(render.overlay(e.view, e.heatmap)),
        shown_map=stage.map_of(e),
    )


def choose(found: Sequence[Found]) -> list[Found]:
    """Draw the filters and return the matching tiles in the chosen order."""
    classes = sorted({tile.predicted for _, tile in found if tile.predicted})
    order = setting("by", "name", ORDERS)
    st.selectbox(
        tr("Sort by"),
        ORDERS,
        format_func=lambda key: tr(ORDERS[key][0]),
        key="by",
        persist_state="session",
        help=tr("Probability: of the predicted class. Region: how few places hold most of the heatmap."),
    )
    only = many("only", [], classes)
    st.multiselect(
        tr("Predicted class"),
        classes,
        format_func=tr_class,
        key="only",
        placeholder=tr("all classes"),
        persist_state="session",
        help=tr("The class that the model predicts, right or wrong."),
    )
    unsure = switch("unsure")
    st.toggle(
        tr("Only below 50%"),
        key="unsure",
        persist_state="session",
        help=tr("Images whose predicted class has a probability below 50%."),
    )
    return [
        (image, tile)
        for image, tile in sorted(found, key=ORDERS[order][1])
        if not tile.error and (not only or tile.predicted in only) and (not unsure or tile.probability < 0.5)
    ]


def tiles(shown: Sequence[Found], gaps: int = 0, key: str = "tiles") -> Found | None:
    """Show the tiles, and empty places for images that are still computed; return the selected one."""
    if not shown and key == "tiles":
        st.info(tr("No image matches: remove a filter."))
        return None
    names = [image.name for image, _ in shown]
    chosen = st.session_state.get("tile")
    place = names.index(chosen) if chosen in names else 0
    items = [
        (name, _alt(found), f"{name}\n{tr_message(found[1].predicted)} {tr_message(found[1].shown)}", found[1].overlay)
        for name, found in zip(names, shown, strict=True)
    ]

    def pick(name: str) -> None:
        st.session_state["tile"] = name

    browser.tiles(tr("Images with their heatmaps"), items, names[place] if names else "", pick, WIDTH, gaps, key)
    return shown[place] if shown else None


def one(found: Found, experiment: Experiment, method: Method) -> None:
    """Show the selected image on the stage, its reading and a button that opens it in Explain."""
    image, tile = found
    left, right = st.columns([2, 3], gap="large")
    model, fit = experiment.model, experiment.fit
    if tile.shown_map is not None:
        with left:
            original = result_store().once(
                ("original of a tile", image.digest, fit, model.key),
                lambda: stage.original(model, image.input_image().decoded, fit),
            )
            stage.stage("tile_stage", original, model.input_size, tile.shown_map, stage.look(), _alt(found), stage.keep)
    with right:
        st.markdown(tr("**{image}**, by {method}", image=escaped(image.name), method=tr_message(method.title)))
        st.markdown(escaped(tr_message(tile.reading)))
        st.caption(tr("**Limitations.** {caution}", caution=tr_message(tile.caution)))
        if st.button(tr("Open in Explain"), icon=":material/visibility:", on_click=image.open):
            st.switch_page("pages/explain.py")


def _alt(found: Found) -> str:
    image, tile = found
    return tr("Heatmap of {label} over {image}", label=tr_message(tile.explained), image=image.name)


def refused(found: Sequence[Found]) -> None:
    """Show the errors of the images that could not be read or explained."""
    for image, tile in found:
        if tile.error:
            st.error(error_text(tile.error, image.name))
