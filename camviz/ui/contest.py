"""The pointing game on the Evaluate page: a mosaic of four pictures, and which method finds the right one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from ..errors import CamvizError
from ..evaluation.pointing_game import mosaic, pointing_game, surest
from ..evaluation.registry import METRICS
from ..models import Prediction
from ..registry import METHODS, Method
from ..scores import logit
from . import controls, evidence, panels, pictures, state, tasks, trials, verdicts
from .controls import Experiment
from .markdown import escaped
from .pictures import Picture
from .tasks import Report

PLAYERS = ("grad_cam", "layer_cam", "guided_backprop", "gradient_x_input", *trials.CONTROLS)
WHERE = ("top left", "top right", "bottom left", "bottom right")
PASSES = 3  # that an explanation by a method of few passes costs


@dataclass(frozen=True)
class Played:
    """How much of a method's map lies in the right quarter, for each of the four classes; and the maps."""

    shares: tuple[float, ...]
    tiles: list[evidence.Tile]


@dataclass(frozen=True)
class Mosaic:
    """Four pictures, and what the network says of each of them alone."""

    pictures: list[Picture]
    predictions: list[Prediction]

    def view(self, experiment: Experiment) -> NDArray[np.uint8]:
        """The mosaic as the network sees it, RGB (2H, 2W, 3)."""
        a, b, c, d = (experiment.model.view(picture.image, experiment.fit) for picture in self.pictures)
        return np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)])


def pointing(experiment: Experiment) -> None:
    """Choose four pictures and some methods, and see whose maps lie on the right quarter."""
    metric = METRICS["pointing_game"]
    st.caption(f"{metric.tooltip} [Paper]({metric.paper})")
    chosen = _mosaic(experiment)
    if chosen is None:
        return
    keys = list(METHODS)
    players = [METHODS[key] for key in state.many("players", [key for key in PLAYERS if key in keys], keys)]
    st.multiselect("Methods", keys, format_func=lambda key: METHODS[key].title, key="players", persist_state="session")
    played = _play(experiment, chosen, players)
    if not played:
        return
    rows = sorted(played.items(), key=lambda row: -float(np.mean(row[1].shares)))
    columns: dict[str, list[Any]] = {
        "Method": [_name(METHODS[key]) for key, _ in rows],
        "In the right quarter": [float(np.mean(one.shares)) for _, one in rows],
    }
    for quarter, prediction in enumerate(chosen.predictions):
        columns[f"{WHERE[quarter]}: {prediction.label}"] = [one.shares[quarter] for _, one in rows]
    shares = {name: st.column_config.NumberColumn(format="percent") for name in columns if name != "Method"}
    st.dataframe(columns, hide_index=True, column_config=shares, height="content", alt="Shares by method and picture")
    shown = state.setting("look_at", rows[0][0], [key for key, _ in rows])
    st.selectbox(
        "Look at the maps of",
        [key for key, _ in rows],
        format_func=lambda key: METHODS[key].title,
        key="look_at",
        persist_state="session",
    )
    st.markdown(f"**{verdicts.pointing(float(np.mean(played[shown].shares)))}**")
    evidence.show(played[shown].tiles, 190)
    evidence.cannot(metric)


def _mosaic(experiment: Experiment) -> Mosaic | None:
    found = pictures.choices()
    first = {key: controls.predict(experiment.model, one, experiment.fit)[0] for key, one in found.items()}
    keys = list(first)
    best = surest([first[key].index for key in keys], [first[key].probability for key in keys])
    if len(best) < 4:
        st.info(
            f"A mosaic needs four pictures of different classes that this network is sure of (50 % or more); "
            f"there are {len(best)}. Bring more pictures of your own, or choose another network."
        )
        return None
    fit = [keys[place] for place in best]
    quarters = state.many("quarters", fit[:4], fit)
    st.multiselect(
        "Pictures that the network is sure of, one for each quarter",
        fit,
        format_func=lambda key: f"{found[key].name}: {first[key].label}",
        key="quarters",
        max_selections=4,
        persist_state="session",
    )
    if len(quarters) != 4:
        st.info("Choose four pictures.")
        return None
    return Mosaic([found[key] for key in quarters], [first[key] for key in quarters])


def _play(experiment: Experiment, chosen: Mosaic, players: list[Method]) -> dict[str, Played]:
    model = experiment.model
    keys = {one.key: _key(experiment, chosen, one) for one in players}
    missing = [one for one in players if tasks.kept(keys[one.key]) is None]
    refused: dict[str, str] = {}

    def work(report: Report) -> dict[str, str]:
        for place, one in enumerate(missing):
            try:
                shown = evidence.part(report, place, len(missing))
                tasks.keep(keys[one.key], _played(experiment, chosen, one, shown))
            except CamvizError as error:
                refused[one.title] = str(error)
        return refused

    if missing:
        seconds = sum(_seconds(experiment, one) for one in missing)
        what = "Play" if len(missing) == len(players) else f"Go on: {len(missing)} methods are missing"
        key = ("pointing", model.name, tuple(keys[one.key] for one in missing))
        refused = tasks.run("pointing", key, seconds, what, work) or {}
    for title, reason in refused.items():
        st.warning(f"{title} does not play: {reason}.")
    found = {key: tasks.kept(place) for key, place in keys.items()}
    return {key: played for key, played in found.items() if played is not None}


def _played(experiment: Experiment, chosen: Mosaic, method: Method, report: Report) -> Played:
    model = experiment.model
    knobs = method.settings({})
    x = mosaic(torch.cat([model.preprocess(one.image, experiment.fit) for one in chosen.pictures]))
    with tasks.turn(report) as progress:
        last = [0, 4]

        def heard(done: int, total: int) -> None:
            last[:] = done, total
            progress(done, total)

        result = pointing_game(
            x,
            lambda c: trials.attribution(experiment, method, knobs, model.net, x, logit(c), lambda: progress(*last)),
            tuple(one.index for one in chosen.predictions),
            progress=heard,
        )
    view = chosen.view(experiment)
    return Played(
        result.shares,
        [
            evidence.Tile(
                evidence.over(view, one),
                f"**{escaped(prediction.label)}**, {place}  \n{share:.0%} of the map lies there",
                f"{method.title} for {prediction.label} over the mosaic, whose {place} picture it is",
            )
            for one, prediction, place, share in zip(result.maps, chosen.predictions, WHERE, result.shares, strict=True)
        ],
    )


def _seconds(experiment: Experiment, method: Method) -> float:
    """Four explanations of a picture four times as large."""
    try:
        slow = panels.expected(experiment, method, method.settings({}))
    except CamvizError:
        return 0.0  # it will say so itself
    return 16 * (slow or PASSES * tasks.seconds_of_pass(experiment.model))


def _key(experiment: Experiment, chosen: Mosaic, method: Method) -> tuple[Any, ...]:
    layer = experiment.layer if method.layer != "none" else None
    network = (experiment.model.name, experiment.model.weights, str(experiment.model.device))
    digests = tuple(one.digest for one in chosen.pictures)
    return ("played", digests, experiment.fit, network, method.key, layer, experiment.fuse)


def _name(method: Method) -> str:
    return f"{method.title} (control)" if method.family == "control" else method.title
