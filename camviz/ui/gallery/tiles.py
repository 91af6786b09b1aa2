"""The gallery: one method on many images, with sorting, filters and downloads."""

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
from ..components import browser
from ..inputs import gallery_input
from ..inputs.experiment import Experiment
from ..inputs.gallery_input import GalleryImage
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session.language import error_text, tr, tr_class, tr_message
from ..session.markdown import escaped
from ..session.settings import many, setting, switch


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


Found = tuple[GalleryImage, Tile]
ORDERS: dict[str, tuple[str, Callable[[Found], Any]]] = {
    "name": ("name", lambda found: found[0].name.lower()),
    "class": ("predicted class", lambda found: (tr_message(found[1].predicted).lower(), -found[1].probability)),
    "unsure": ("lowest probability first", lambda found: found[1].probability),
    "sure": ("highest probability first", lambda found: -found[1].probability),
    "sparse": ("smallest region first", lambda found: -found[1].sparseness),
    "spread": ("largest region first", lambda found: found[1].sparseness),
}


def compute(experiment: Experiment, question: Question) -> list[Found]:
    """Return the finished tiles of the gallery's images, after computing missing ones."""
    images = gallery_input.gallery_images()
    order = _order(experiment, question)
    keys = {image.name: _key(experiment, order, image) for image in images}
    missing = [image for image in images if result_store().get(keys[image.name]) is None]
    if missing:
        each = cost.explanation_seconds(question, cost.BATCHED)

        def work(report: ReportProgress) -> int:
            return _work(Worker(order, experiment.model), missing, keys, report)

        what = tr("Explain {count} images", count=len(missing))
        key = ("gallery", *(keys[image.name] for image in missing))
        tasks.run("gallery", key, len(missing) * each, what, work, keep=False)
    return [(image, tile) for image in images if (tile := result_store().get(keys[image.name])) is not None]


def _work(worker: Worker, missing: Sequence[GalleryImage], keys: Mapping[str, Hashable], report: ReportProgress) -> int:
    size = worker.order.batch
    for start in range(0, len(missing), size):
        part = missing[start : start + size]
        looked = worker.read([Item(image.name, image.data, worker.order.methods) for image in part])

        def tell(share: float, text: str = "", *, ahead: int = 0, start: int = start) -> None:
            report(start / len(missing), tr("{done} of {total} images", done=start, total=len(missing)), ahead=ahead)

        with in_queue(tell) as progress:
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


def _key(experiment: Experiment, order: Order, image: GalleryImage) -> Hashable:
    return "gallery", image.digest, experiment.model.key, order.asked(order.methods[0])


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
    )


def choose(found: Sequence[Found]) -> list[Found]:
    """Draw the filters and return the matching tiles in the chosen order."""
    classes = sorted({tile.predicted for _, tile in found if tile.predicted})
    settings = st.container(horizontal=True, vertical_alignment="bottom")
    order = setting("by", "name", ORDERS)
    settings.selectbox(
        tr("Sort by"),
        ORDERS,
        format_func=lambda key: tr(ORDERS[key][0]),
        key="by",
        persist_state="session",
        width=220,
        help=tr("Probability: of the predicted class. Region: how few places hold most of the heatmap."),
    )
    only = many("only", [], classes)
    settings.multiselect(
        tr("Predicted class"),
        classes,
        format_func=tr_class,
        key="only",
        placeholder=tr("all classes"),
        persist_state="session",
        width=360,
        help=tr("The class that the model predicts, right or wrong."),
    )
    unsure = switch("unsure")
    settings.toggle(
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


def tiles(shown: Sequence[Found]) -> Found | None:
    """Show the tiles and return the selected one."""
    if not shown:
        st.info(tr("No image matches: remove a filter."))
        return None
    names = [image.name for image, _ in shown]
    chosen = st.session_state.get("tile")
    place = names.index(chosen) if chosen in names else 0
    items = [
        (
            number,
            tr("Heatmap of {label} over {picture}", label=tr_message(tile.explained), picture=image.name),
            f"{image.name}\n{tr_message(tile.predicted)} {tr_message(tile.shown)}",
            tile.overlay,
        )
        for number, (image, tile) in enumerate(shown)
    ]

    def pick(number: int) -> None:
        st.session_state["tile"] = names[number]

    browser.tiles(tr("Images with their heatmaps"), items, place, pick)
    return shown[place]


def one(found: Found, method: Method) -> None:
    """Show the selected image, its reading and a button that opens it in Explain."""
    image, tile = found
    left, right = st.columns([1, 2], gap="large")
    alt = tr("Heatmap of {label} over {picture}", label=tr_message(tile.explained), picture=image.name)
    left.image(tile.overlay, alt=alt, width="stretch")
    with right:
        st.markdown(tr("**{picture}**, by {method}", picture=escaped(image.name), method=tr_message(method.title)))
        st.markdown(escaped(tr_message(tile.reading)))
        st.caption(tr("**Limitations.** {caution}", caution=tr_message(tile.caution)))
        if st.button(tr("Open in Explain"), icon=":material/visibility:", on_click=image.open):
            st.switch_page("pages/explain.py")


def refused(found: Sequence[Found]) -> None:
    """Show the errors of the images that could not be read or explained."""
    for image, tile in found:
        if tile.error:
            st.error(error_text(tile.error, image.name))


def table(found: Sequence[Found]) -> None:
    """Show all values as a table."""
    st.dataframe(
        [
            {
                tr("image"): image.name,
                tr("predicted class"): tr_class(tile.predicted),
                tr("probability"): tile.probability,
                tr("explained class"): tr_class(tile.explained),
                tr("probability of the explained class"): tile.explained_probability,
                tr("sparseness"): tile.sparseness,
            }
            for image, tile in found
        ],
        hide_index=True,
        width="stretch",
    )


def show_downloads(found: Sequence[Found], method: Method) -> None:
    """Draw the downloads: values and overlays."""
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("Table (CSV)"), lambda: to_csv(found), "camviz-gallery.csv", "text/csv", on_click="ignore"
    )
    buttons.download_button(
        tr("Heatmaps (ZIP)"), lambda: _zip(found, method), "camviz-gallery.zip", "application/zip", on_click="ignore"
    )


def to_csv(found: Sequence[Found]) -> str:
    """Return the values as CSV; no cell is a spreadsheet formula."""
    file = io.StringIO()
    rows = _rows(found)
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def _rows(found: Sequence[Found]) -> list[dict[str, Any]]:
    left_out = ("overlay", "reading", "caution")
    return [
        {"file": image.name, **{key: value for key, value in asdict(tile).items() if key not in left_out}}
        for image, tile in found
    ]


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _zip(found: Sequence[Found], method: Method) -> bytes:
    files = {f"{image.name}-{method.key}.jpg": tile.overlay for image, tile in found if tile.overlay}
    return export.grid_zip(files, _rows(found))
