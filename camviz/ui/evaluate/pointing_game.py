"""The pointing game on the Evaluate page: a mosaic of four pictures, and which method finds the right one."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from ... import encode
from ...errors import CamvizError
from ...evaluation.metrics.pointing_game import mosaic, most_confident, pointing_game
from ...evaluation.registry import METRICS
from ...messages import Message
from ...models import Prediction
from ...registry import METHODS, Method
from ...report import Section
from ...scores import logit
from ..inputs import image_input
from ..inputs.experiment import Experiment, predict
from ..inputs.image_input import InputImage
from ..results import explanations, metrics
from ..server import tasks
from ..server.tasks import ReportProgress
from ..session import settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import tiles
from ..widgets.tiles import Tile
from . import conclusions

PLAYERS = ("grad_cam", "layer_cam", "guided_backprop", "gradient_x_input", *metrics.CONTROLS)
WHERE = (Message("top left"), Message("top right"), Message("bottom left"), Message("bottom right"))
PASSES = 3  # that an explanation by a method of few passes costs


@dataclass(frozen=True)
class GameResult:
    """How much of a method's map lies in the right quarter, for each of the four classes; and the maps."""

    shares: tuple[float, ...]
    tiles: list[Tile]


@dataclass(frozen=True)
class Mosaic:
    """Four pictures, and what the network says of each of them alone."""

    pictures: list[InputImage]
    predictions: list[Prediction]

    def view(self, experiment: Experiment) -> NDArray[np.uint8]:
        """The mosaic as the network sees it, RGB (2H, 2W, 3)."""
        a, b, c, d = (experiment.model.view(picture.image, experiment.fit) for picture in self.pictures)
        return np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)])


def pointing(experiment: Experiment) -> list[Section]:
    """Choose four pictures and some methods, and see whose maps lie on the right quarter; for a report too."""
    metric = METRICS["pointing_game"]
    st.caption(f"{tr_message(metric.tooltip)} [{tr('Paper')}]({metric.paper})")
    chosen = _mosaic(experiment)
    if chosen is None:
        return []
    keys = list(METHODS)
    players = [METHODS[key] for key in settings.many("players", [key for key in PLAYERS if key in keys], keys)]
    st.multiselect(
        tr("Methods"),
        keys,
        format_func=lambda key: tr_message(METHODS[key].title),
        key="players",
        placeholder=tr("Choose options"),
        persist_state="session",
        help=tr("The last three of the first choice are controls, which know nothing of the network's reasons."),
    )
    played = _play(experiment, chosen, players)
    if not played:
        return []
    rows = sorted(played.items(), key=lambda row: -float(np.mean(row[1].shares)))
    columns: dict[str, list[Any]] = {
        Message("Method"): [_name(METHODS[key]) for key, _ in rows],
        Message("In the right quarter"): [float(np.mean(one.shares)) for _, one in rows],
    }
    for quarter, prediction in enumerate(chosen.predictions):
        columns[Message("{place}: {label}", place=WHERE[quarter], label=prediction.label)] = [
            one.shares[quarter] for _, one in rows
        ]
    shares = {tr_message(name): st.column_config.NumberColumn(format="percent") for name in columns if name != "Method"}
    st.dataframe(
        tiles.translated_table(columns),
        hide_index=True,
        column_config=shares,
        height="content",
        alt=tr("Shares by method and picture"),
    )
    shown = settings.setting("look_at", rows[0][0], [key for key, _ in rows])
    st.selectbox(
        tr("Look at the maps of"),
        [key for key, _ in rows],
        format_func=lambda key: tr_message(METHODS[key].title),
        key="look_at",
        persist_state="session",
        help=tr("Its four maps, one for each picture's class."),
    )
    verdict = conclusions.pointing(float(np.mean(played[shown].shares)))
    st.markdown(f"**{tr_message(verdict)}**")
    tiles.show(played[shown].tiles, 190)
    tiles.show_limitation(metric)
    table = [tuple(columns), *zip(*([_percent(cell) for cell in column] for column in columns.values()), strict=True)]
    texts = [tiles.metric_sentence(metric), Message("{first}: {second}", first=METHODS[shown].title, second=verdict)]
    return [Section(Message("Four pictures in one"), texts, tiles.as_report_images(played[shown].tiles), table=table)]


def _percent(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:.0%}"


def mosaics(experiment: Experiment, over: Mapping[str, InputImage]) -> list[tuple[str, Mosaic, int]]:
    """For each picture that a mosaic can be made of, by its key: a mosaic that it is in, and its quarter there.

    The surest four make the first mosaic, and so on; the last one is filled up with pictures from before it.
    """
    best, first = _sure(experiment, over)
    found = []
    for start in range(0, len(best), 4) if len(best) >= 4 else ():
        own = best[start : start + 4]
        four = own + [key for key in best if key not in own][: 4 - len(own)]
        one = Mosaic([over[key] for key in four], [first[key] for key in four])
        found += [(key, one, quarter) for quarter, key in enumerate(own)]
    return found


def _sure(experiment: Experiment, over: Mapping[str, InputImage]) -> tuple[list[str], dict[str, Prediction]]:
    """The pictures fit for mosaics, surest first, and the best class of each picture."""
    first = {key: predict(experiment.model, one, experiment.fit)[0] for key, one in over.items()}
    keys = list(first)
    best = most_confident([first[key].index for key in keys], [first[key].probability for key in keys])
    return [keys[place] for place in best], first


def _mosaic(experiment: Experiment) -> Mosaic | None:
    found = image_input.choices()
    fit, first = _sure(experiment, found)
    if len(fit) < 4:
        st.info(
            tr(
                "A mosaic needs four pictures of different classes that this network is sure of (50 % or more); "
                "there are {count}. Bring more pictures of your own, or choose another network.",
                count=len(fit),
            )
        )
        return None
    quarters = settings.many("quarters", fit[:4], fit, 4)
    st.multiselect(
        tr("Pictures that the network is sure of, one for each quarter"),
        fit,
        format_func=lambda key: f"{found[key].name}: {first[key].label}",
        key="quarters",
        placeholder=tr("Choose options"),
        max_selections=4,
        persist_state="session",
        help=tr("Four different classes, each with a probability of 50 % or more: else its map has no right place."),
    )
    if len(quarters) != 4:
        st.info(tr("Choose four pictures."))
        return None
    return Mosaic([found[key] for key in quarters], [first[key] for key in quarters])


def _play(experiment: Experiment, chosen: Mosaic, players: list[Method]) -> dict[str, GameResult]:
    model = experiment.model
    keys = {one.key: key_of(experiment, chosen, one) for one in players}
    missing = [one for one in players if not _shown(experiment, chosen, one)]
    refused: dict[str, str] = {}

    def work(report: ReportProgress) -> dict[str, str]:
        for place, one in enumerate(missing):
            try:
                play(experiment, chosen, one, tiles.part_of(report, place, len(missing)))
            except CamvizError as error:
                refused[one.title] = error.message
        return refused

    if missing:
        expected = sum(seconds(experiment, one) for one in missing)
        what = tr("Play")
        if len(missing) < len(players):
            what = tr("Go on: {count} methods are missing", count=len(missing))
        key = ("pointing", model.name, tuple(keys[one.key] for one in missing))
        refused = tasks.run("pointing", key, expected, what, work) or {}
    for title, reason in refused.items():
        st.warning(
            tr("{method} does not play: {reason}.", method=tr_message(title), reason=escaped(tr_message(reason)))
        )
    return {one.key: played for one in players if (played := _shown(experiment, chosen, one))}


def _shown(experiment: Experiment, chosen: Mosaic, method: Method) -> GameResult | None:
    found = before(experiment, chosen, method)
    return found if found and found.tiles else None


def before(experiment: Experiment, chosen: Mosaic, method: Method) -> GameResult | None:
    """What a method has made of a mosaic, if it was computed before."""
    found: GameResult | None = tasks.kept_result(key_of(experiment, chosen, method))
    return found


def play(experiment: Experiment, chosen: Mosaic, method: Method, report: ReportProgress) -> GameResult:
    """What a method makes of a mosaic, from before or computed now. Raises CamvizError."""
    found = _shown(experiment, chosen, method)
    return found or tasks.keep_result(key_of(experiment, chosen, method), _played(experiment, chosen, method, report))


def give_up(experiment: Experiment, chosen: Mosaic, method: Method) -> None:
    """Keep that a method cannot play here."""
    tasks.keep_result(key_of(experiment, chosen, method), GameResult((nan,) * 4, []))


def _played(experiment: Experiment, chosen: Mosaic, method: Method, report: ReportProgress) -> GameResult:
    model = experiment.model
    knobs = method.settings({})
    x = mosaic(torch.cat([model.preprocess(one.image, experiment.fit) for one in chosen.pictures]))
    with tasks.in_queue(report) as progress:
        last = [0, 4]

        def heard(done: int, total: int) -> None:
            last[:] = done, total
            progress(done, total)

        result = pointing_game(
            x,
            lambda c: metrics.attribution(experiment, method, knobs, model.net, x, logit(c), lambda: progress(*last)),
            tuple(one.index for one in chosen.predictions),
            progress=heard,
        )
    view = chosen.view(experiment)
    return GameResult(
        result.shares,
        [
            tiles.Tile(
                encode.jpeg(tiles.overlay_map(view, one.cpu().float().numpy())),
                (
                    Message("{label}, {place}", label=prediction.label, place=place),
                    Message("{share:.0%} of the map lies there", share=share),
                ),
                Message(
                    "{method} for {label} over the mosaic, whose {place} picture it is",
                    method=method.title,
                    label=prediction.label,
                    place=place,
                ),
            )
            for one, prediction, place, share in zip(result.maps, chosen.predictions, WHERE, result.shares, strict=True)
        ],
    )


def seconds(experiment: Experiment, method: Method) -> float:
    """Four explanations of a picture four times as large."""
    try:
        return 16 * explanations.duration(experiment, method, method.settings({}), PASSES)
    except CamvizError:
        return 0.0  # it will say so itself


def key_of(experiment: Experiment, chosen: Mosaic, method: Method) -> tuple[Any, ...]:
    """What identifies a method's result on a mosaic, by content."""
    layer = experiment.layer if method.layer != "none" else None
    network = tasks.network_key(experiment.model)
    digests = tuple(one.digest for one in chosen.pictures)
    return ("played", digests, experiment.fit, network, method.key, layer, experiment.fuse)


def _name(method: Method) -> str:
    return Message("{method} (control)", method=method.title) if method.family == "control" else method.title
