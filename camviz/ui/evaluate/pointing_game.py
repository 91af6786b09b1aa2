"""The pointing game on the page Evaluate: heatmaps of the four classes in a mosaic of four images."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np
import pandas as pd  # Streamlit brings it
import streamlit as st
import torch
from numpy.typing import NDArray

from ... import encode
from ...errors import CamvizError
from ...evaluation.metrics.pointing_game import join_quarters, most_confident, pointing_game
from ...evaluation.registry import METRICS
from ...explanation.question import Question
from ...messages import Message
from ...models import Prediction
from ...registry import METHODS, Method
from ...report import Section
from ...scores import logit
from ...stage.stage_map import StageMap
from ...text import percent
from ..inputs import image_input
from ..inputs.experiment import Experiment, predict
from ..inputs.image_input import InputImage
from ..results import cost, metrics
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import sources, tr, tr_message
from ..session.markdown import escaped
from ..widgets import tiles
from ..widgets.tiles import Tile
from . import conclusions

DEFAULT_METHODS = ("grad_cam", "layer_cam", "guided_backprop", "gradient_x_input", *metrics.CONTROLS)
QUARTERS = (Message("top left"), Message("top right"), Message("bottom left"), Message("bottom right"))


@dataclass(frozen=True)
class GameResult:
    """The share of a method's heatmap in the correct quarter for each of the four classes, and the heatmaps.

    `image` is the mosaic as a JPEG, of `size` (height, width). Of a method that cannot be used on the mosaic: NaN, no
    heatmaps, and the reason.
    """

    shares: tuple[float, ...]
    tiles: list[Tile]
    refusal: str = ""
    image: bytes = b""
    size: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Mosaic:
    """Four images, and the prediction for each of them alone."""

    images: list[InputImage]
    predictions: list[Prediction]

    def views(self, question: Question) -> list[NDArray[np.uint8]]:
        """Return the four images as the model sees them, each RGB (H, W, 3)."""
        views = [question.model.view(image.decoded, question.fit) for image in self.images]
        if len({view.shape for view in views}) > 1:  # the model's own preprocessing keeps the aspect ratio
            return [question.model.view(image.decoded, "stretch") for image in self.images]
        return views


def pointing(experiment: Experiment) -> list[Section]:
    """Choose four images and some methods, and show the results; return a report's section."""
    metric = METRICS["pointing_game"]
    st.caption(f"{tr_message(metric.tooltip)} {sources(metric)}")
    chosen = _mosaic(experiment)
    if chosen is None:
        return []
    keys = list(METHODS)
    default = [key for key in DEFAULT_METHODS if key in keys]
    methods = [METHODS[key] for key in settings.many("pointing_methods", default, keys)]
    st.multiselect(
        tr("Methods"),
        keys,
        format_func=lambda key: tr_message(METHODS[key].title),
        key="pointing_methods",
        placeholder=tr("Choose options"),
        persist_state="session",
        help=tr("The last three of the default methods are controls, which contain no information about the decision."),
    )
    results = _run(experiment, chosen, methods)
    if not results:
        return []
    rows = sorted(results.items(), key=lambda row: -float(np.mean(row[1].shares)))
    columns: dict[str, list[Any]] = {
        Message("Method"): [_name(METHODS[key]) for key, _ in rows],
        Message("In the correct quarter"): [float(np.mean(one.shares)) for _, one in rows],
    }
    for quarter, prediction in enumerate(chosen.predictions):
        columns[Message("{place}: {label}", place=QUARTERS[quarter], label=prediction.label)] = [
            one.shares[quarter] for _, one in rows
        ]
    shares = [tr_message(name) for name in columns if name != "Method"]
    st.dataframe(
        pd.DataFrame(tiles.translated_table(columns)).style.format(partial(percent, exact=True), subset=shares),
        hide_index=True,
        height="content",
        alt=tr("Shares by method and image"),
    )
    shown = settings.setting("shown_method", rows[0][0], [key for key, _ in rows])
    st.selectbox(
        tr("Method shown"),
        [key for key, _ in rows],
        format_func=lambda key: tr_message(METHODS[key].title),
        key="shown_method",
        persist_state="session",
        help=tr("The heatmaps for the four classes of the mosaic."),
    )
    verdict = conclusions.pointing(float(np.mean(results[shown].shares)))
    st.markdown(f"**{tr_message(verdict)}**")
    tiles.show_stages(results[shown].tiles, "mosaic", results[shown].image, results[shown].size, None)
    tiles.show_limitation(metric)
    table = [tuple(columns), *zip(*([_percent(cell) for cell in column] for column in columns.values()), strict=True)]
    texts = [tiles.metric_sentence(metric), Message("{first}: {second}", first=METHODS[shown].title, second=verdict)]
    title = Message("Mosaic of four images")
    return [Section(title, texts, tiles.as_report_images(results[shown].tiles), table=table)]


def _percent(cell: str | float) -> str:
    return cell if isinstance(cell, str) else percent(cell, 0, exact=True)


def mosaics(experiment: Experiment, over: Mapping[str, InputImage]) -> list[tuple[str, Mosaic, int]]:
    """Return for each suitable image, by key, a mosaic that contains it and its quarter there.

    The four most confident images make the first mosaic, and so on; the last one is completed with earlier images.
    """
    best, first = _suitable(experiment, over)
    found = []
    for start in range(0, len(best), 4) if len(best) >= 4 else ():
        own = best[start : start + 4]
        four = own + [key for key in best if key not in own][: 4 - len(own)]
        one = Mosaic([over[key] for key in four], [first[key] for key in four])
        found += [(key, one, quarter) for quarter, key in enumerate(own)]
    return found


def _suitable(experiment: Experiment, over: Mapping[str, InputImage]) -> tuple[list[str], dict[str, Prediction]]:
    """Return the images suitable for mosaics, most confident first, and the top prediction of each image."""
    first = {key: predict(experiment.model, one.decoded, experiment.fit)[0] for key, one in over.items()}
    keys = list(first)
    best = most_confident([first[key].index for key in keys], [first[key].probability for key in keys])
    return [keys[place] for place in best], first


def _mosaic(experiment: Experiment) -> Mosaic | None:
    found = image_input.choices()
    suitable, first = _suitable(experiment, found)
    if len(suitable) < 4:
        st.info(
            tr(
                "A mosaic needs four images of different classes that this model predicts with 50% or more; "
                "there are {count}. Upload more images, or choose another model.",
                count=len(suitable),
            )
        )
        return None
    quarters = settings.many("quarters", suitable[:4], suitable, 4)
    st.multiselect(
        tr("Images predicted with 50% or more, one for each quarter"),
        suitable,
        format_func=lambda key: f"{found[key].name}: {tr_message(first[key].label)}",
        key="quarters",
        placeholder=tr("Choose options"),
        max_selections=4,
        persist_state="session",
        help=tr("Four different classes, each predicted with 50% or more; otherwise a heatmap has no correct quarter."),
    )
    if len(quarters) != 4:
        st.info(tr("Choose four images."))
        return None
    return Mosaic([found[key] for key in quarters], [first[key] for key in quarters])


def _run(experiment: Experiment, mosaic: Mosaic, methods: Sequence[Method]) -> dict[str, GameResult]:
    """Compute missing results, return all by the key of the method, and show which methods cannot be used."""
    questions: dict[str, Question] = {}
    refused: dict[str, str] = {}
    for one in methods:
        try:
            questions[one.key] = experiment.question(one)
        except CamvizError as error:
            refused[one.title] = error.message
    missing = [question for question in questions.values() if known(question, mosaic) is None]
    if missing:
        expected = [seconds(question) for question in missing]

        def work(report: ReportProgress) -> bool:
            for question, part in zip(missing, tasks.parts_of(report, expected), strict=True):
                compute(question, mosaic, part)
            return True

        key = ("pointing", *(key_of(question, mosaic) for question in questions.values()))
        what = tr("Run the test")
        if len(missing) < len(questions):
            what = tr("Continue with the missing methods: {count}", count=len(missing))
        tasks.run("pointing", key, sum(expected), what, work, keep=False)
    results = {key: found for key, question in questions.items() if (found := known(question, mosaic))}
    refused |= {questions[key].method.title: found.refusal for key, found in results.items() if found.refusal}
    for title, reason in refused.items():
        st.warning(
            tr("{method} cannot be used here: {reason}.", method=tr_message(title), reason=escaped(tr_message(reason)))
        )
    return {key: found for key, found in results.items() if not found.refusal}


def known(question: Question, mosaic: Mosaic) -> GameResult | None:
    """Return a method's cached result on a mosaic, or None."""
    found: GameResult | None = result_store().get(key_of(question, mosaic))
    return found


def compute(question: Question, mosaic: Mosaic, report: ReportProgress) -> GameResult:
    """Return a method's result on a mosaic, from the cache or computed now."""
    if (found := known(question, mosaic)) is not None:
        return found
    try:
        found = _computed(question, mosaic, report)
    except CamvizError as error:
        found = GameResult((nan,) * 4, [], error.message)
    return result_store().put(key_of(question, mosaic), found)


def _computed(question: Question, mosaic: Mosaic, report: ReportProgress) -> GameResult:
    model = question.model
    views = mosaic.views(question)
    x = join_quarters(torch.cat([model.normalize(view) for view in views]))
    with in_queue(report) as progress:
        last = [0, 4]

        def report_pass(done: int, total: int) -> None:
            last[:] = done, total
            progress(done, total)

        result = pointing_game(
            x,
            lambda c: question.maps(model.net, x, logit(c), lambda *_: progress(last[0], last[1])).detach(),
            tuple(one.index for one in mosaic.predictions),
            progress=report_pass,
        )
    view = encode.montage(views, columns=2)
    parts = zip(result.maps, mosaic.predictions, QUARTERS, result.shares, strict=True)
    return GameResult(
        result.shares,
        [
            tiles.Tile(
                encode.jpeg(tiles.overlay_map(view, one.cpu().float().numpy())),
                (
                    Message("{label}, {place}", label=prediction.label, place=place),
                    Message("{share} of the heatmap is there", share=percent(share, 0, exact=True)),
                ),
                Message(
                    "{method} of {label} over the mosaic, with its image at the {place}",
                    method=question.method.title,
                    label=prediction.label,
                    place=place,
                ),
                StageMap.of(one.cpu().float().numpy()),
            )
            for one, prediction, place, share in parts
        ],
        image=encode.jpeg(view),
        size=(view.shape[0], view.shape[1]),
    )


def seconds(question: Question) -> float:
    """Return the estimated seconds of four explanations of a mosaic, which is four times as large as an image."""
    once = cost.explanation_seconds(question)
    return (16 if question.method.many_passes else 10) * once  # a quick method's time is partly that of drawing it


def key_of(question: Question, mosaic: Mosaic) -> Hashable:
    """Return the cache key of a method's result on a mosaic, by content."""
    digests = tuple(one.digest for one in mosaic.images)
    settings = tuple(sorted(question.settings.items()))
    return (
        *("pointing game", digests, question.fit, question.model.key, question.method.key),
        *(question.layers, question.fusion, settings),
    )


def _name(method: Method) -> str:
    return Message("{method} (control)", method=method.title) if method.family == "control" else method.title
