"""The gallery: one method on many pictures, each a tile; to sort, to filter, to take away."""

import csv
import io
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import streamlit as st

from ... import captions, encode, export, render
from ...batch import Item, Order, Outcome, Worker
from ...explanation.question import Question
from ...registry import Method
from ...text import percent
from ..components import browser
from ..inputs import gallery_input
from ..inputs.experiment import Experiment
from ..inputs.gallery_input import GalleryImage
from ..results.cost import BATCHED, explanation_seconds
from ..server import tasks
from ..server.store import result_store
from ..server.tasks import ReportProgress
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from ..session.settings import many, setting, switch


@dataclass(frozen=True)
class Tile:
    """What came of one picture: the network's answer, the map over the picture, and how to read it; or the error."""

    predicted: str = ""
    probability: float = 0.0
    explained: str = ""
    explained_probability: float = 0.0
    sparseness: float = 0.0
    reading: str = ""
    caution: str = ""
    error: str = ""
    overlay: bytes = field(default=b"", repr=False)


Found = tuple[GalleryImage, Tile]
ORDERS: dict[str, tuple[str, Callable[[Found], Any]]] = {
    "name": ("name", lambda found: found[0].name.lower()),
    "class": ("predicted class", lambda found: (found[1].predicted.lower(), -found[1].probability)),
    "unsure": ("least sure first", lambda found: found[1].probability),
    "sure": ("most sure first", lambda found: -found[1].probability),
    "sparse": ("smallest region first", lambda found: -found[1].sparseness),
    "spread": ("largest region first", lambda found: found[1].sparseness),
}


def compute(experiment: Experiment, question: Question) -> list[Found]:
    """The tiles of the gallery's pictures that are there, after computing the missing ones; what is finished stays."""
    photos = gallery_input.gallery_images()
    order = _order(experiment, question)
    keys = {photo.name: _key(experiment, order, photo) for photo in photos}
    missing = [photo for photo in photos if result_store().get(keys[photo.name]) is None]
    if missing:
        each = explanation_seconds(question, BATCHED)

        def work(report: ReportProgress) -> int:
            return _work(Worker(order, experiment.model), missing, keys, report)

        what = tr("Explain {count} pictures", count=len(missing))
        tasks.run("gallery", tuple(keys[photo.name] for photo in missing), len(missing) * each, what, work)
    return [(photo, tile) for photo in photos if (tile := result_store().get(keys[photo.name])) is not None]


def _work(worker: Worker, missing: Sequence[GalleryImage], keys: Mapping[str, Hashable], report: ReportProgress) -> int:
    size = worker.order.batch
    for start in range(0, len(missing), size):
        part = missing[start : start + size]
        looked = worker.read([Item(photo.name, photo.data, worker.order.methods) for photo in part])

        def tell(share: float, text: str = "", *, ahead: int = 0, start: int = start) -> None:
            report(start / len(missing), tr("{done} of {total} pictures", done=start, total=len(missing)), ahead=ahead)

        with tasks.in_queue(tell) as progress:
            progress(1, 1)
            for outcome in worker.explain(looked, lambda: progress(1, 1)):
                result_store().put(keys[outcome.name], _tile(outcome))
    return len(missing)


def _order(experiment: Experiment, question: Question) -> Order:
    method = question.method
    rival = experiment.rival if 0 <= experiment.target != experiment.rival >= 0 else None
    return Order(
        model=experiment.model.name,
        methods=(method.key,),
        target=experiment.target if experiment.target >= 0 else None,
        rather_than=rival,
        layer=",".join(question.layers) or None,
        fit=question.fit,
        fuse=question.fusion,
        knobs={method.key: dict(question.settings)},
    )


def _key(experiment: Experiment, order: Order, photo: GalleryImage) -> Hashable:
    return "gallery", photo.digest, experiment.model.key, order.asked(order.methods[0])


def _tile(outcome: Outcome) -> Tile:
    e, predicted = outcome.explanation, outcome.predicted
    if e is None or predicted is None:
        return Tile(error=outcome.error)
    return Tile(
        predicted=predicted.label,
        probability=predicted.probability,
        explained=e.label,
        explained_probability=e.probability,
        sparseness=outcome.metrics.get("sparseness", 0.0),
        reading=captions.reading(e, predicted.label, predicted.probability),
        caution=captions.caution(e),
        overlay=encode.jpeg(render.overlay(e.view, e.heatmap)),
    )


def choose(found: Sequence[Found]) -> list[Found]:
    """The tiles in the order, and of the classes, that the visitor chooses."""
    classes = sorted({tile.predicted for _, tile in found if tile.predicted})
    settings = st.container(horizontal=True, vertical_alignment="bottom")
    order = setting("by", "name", ORDERS)
    settings.selectbox(
        tr("Sorted by"),
        ORDERS,
        format_func=lambda key: tr(ORDERS[key][0]),
        key="by",
        persist_state="session",
        width=220,
        help=tr("Sure: the probability of the class that it predicts. Region: how few places hold most of the map."),
    )
    only = many("only", [], classes)
    settings.multiselect(
        tr("Only what it calls"),
        classes,
        key="only",
        placeholder=tr("everything"),
        persist_state="session",
        width=360,
        help=tr("By the class that the network predicts, right or wrong."),
    )
    unsure = switch("unsure")
    settings.toggle(
        tr("Only where it is less than half sure"),
        key="unsure",
        persist_state="session",
        help=tr("Where the class that it predicts has less than 50%."),
    )
    return [
        (photo, tile)
        for photo, tile in sorted(found, key=ORDERS[order][1])
        if not tile.error and (not only or tile.predicted in only) and (not unsure or tile.probability < 0.5)
    ]


def tiles(shown: Sequence[Found]) -> Found | None:
    """The pictures as tiles; the one that was clicked."""
    if not shown:
        st.info(tr("No picture is left: choose fewer conditions."))
        return None
    names = [photo.name for photo, _ in shown]
    chosen = st.session_state.get("tile")
    place = names.index(chosen) if chosen in names else 0
    items = [
        (
            number,
            tr("Map of {label} over {picture}", label=tr_message(tile.explained), picture=photo.name),
            f"{photo.name}\n{tile.predicted} {tr_message(percent(tile.probability))}",
            tile.overlay,
        )
        for number, (photo, tile) in enumerate(shown)
    ]

    def pick(number: int) -> None:
        st.session_state["tile"] = names[number]

    browser.tiles(tr("Pictures with their maps"), items, place, pick)
    return shown[place]


def one(found: Found, method: Method) -> None:
    """The chosen picture, larger, with how to read it, and the way to the Explain page."""
    photo, tile = found
    left, right = st.columns([1, 2], gap="large")
    alt = tr("Map of {label} over {picture}", label=tr_message(tile.explained), picture=photo.name)
    left.image(tile.overlay, alt=alt, width="stretch")
    with right:
        st.markdown(tr("**{picture}**, by {method}", picture=escaped(photo.name), method=tr_message(method.title)))
        st.markdown(escaped(tr_message(tile.reading)))
        st.caption(tr("**What it does not say.** {caution}", caution=tr_message(tile.caution)))
        if st.button(tr("Open in Explain"), icon=":material/visibility:", on_click=photo.open):
            st.switch_page("pages/explain.py")


def refused(found: Sequence[Found]) -> None:
    """The pictures that could not be read or explained, each with the reason."""
    for photo, tile in found:
        if tile.error:
            st.error(error_text(tile.error, photo.name))


def table(found: Sequence[Found]) -> None:
    """All numbers as a table."""
    st.dataframe(
        [
            {
                tr("picture"): photo.name,
                tr("predicted"): tile.predicted,
                tr("probability"): tile.probability,
                tr("explained"): tile.explained,
                tr("its probability"): tile.explained_probability,
                tr("sparseness"): tile.sparseness,
            }
            for photo, tile in found
        ],
        hide_index=True,
        width="stretch",
    )


def take_away(found: Sequence[Found], method: Method) -> None:
    """Downloads: the numbers, and the maps over the pictures."""
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("Table (CSV)"), lambda: to_csv(found), "camviz-gallery.csv", "text/csv", on_click="ignore"
    )
    buttons.download_button(
        tr("Maps (ZIP)"), lambda: _zip(found, method), "camviz-gallery.zip", "application/zip", on_click="ignore"
    )


def to_csv(found: Sequence[Found]) -> str:
    """The numbers as CSV; no cell is a formula to a spreadsheet."""
    file = io.StringIO()
    rows = _rows(found)
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def _rows(found: Sequence[Found]) -> list[dict[str, Any]]:
    left_out = ("overlay", "reading", "caution")
    return [
        {"file": photo.name, **{key: value for key, value in asdict(tile).items() if key not in left_out}}
        for photo, tile in found
    ]


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _zip(found: Sequence[Found], method: Method) -> bytes:
    files = {f"{photo.name}-{method.key}.jpg": tile.overlay for photo, tile in found if tile.overlay}
    return export.grid_zip(files, _rows(found))
