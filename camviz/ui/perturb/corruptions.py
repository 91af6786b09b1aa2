"""The predictions and heatmaps at each level of a corruption: computed once, kept for all visitors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ... import edits, encode, render
from ...edits.corruptions import STRENGTHS, Corruption
from ...explanation.heatmap_curve import HeatmapCurve, heatmap_curve
from ...explanation.question import Question
from ...messages import Message
from ...models import Prediction
from ...stage.look import Look
from ...text import percent
from ..inputs.experiment import Experiment
from ..results import cost, explanations
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session.language import tr

TITLES: dict[str, str] = {
    "blur": Message("Blur"),
    "noise": Message("Noise"),
    "jpeg": Message("JPEG"),
    "brightness": Message("Brightness"),
    "rotation": Message("Rotation"),
    "zoom": Message("Zoom in"),
    "stripes": Message("Stripes"),
}
LEVELS = len(STRENGTHS)
FINE = 4096  # values of a map from which 8 bits are kept of each
QUALITY = 85  # of the JPEG that holds the images of all levels; it loses less than most levels do


@dataclass(frozen=True)
class Answers:
    """The model's answers at each level: the best classes, and the explained class."""

    predictions: tuple[tuple[Prediction, ...], ...]
    explained: tuple[Prediction, ...]


@dataclass(frozen=True)
class Maps:
    """The heatmaps of the explained class at each level, (h, w) each, and how similar they are to the untouched one."""

    heatmaps: tuple[NDArray[Any], ...] = field(repr=False)
    similarities: tuple[float, ...]
    empty: tuple[bool, ...]

    @classmethod
    def of(cls, found: HeatmapCurve) -> "Maps":
        """Return the kept part of heatmaps along a corruption; fine heatmaps are kept in 8 bits."""
        heatmaps = [one.heatmap for one in found.explanations]
        kept = [
            one.attribution if one.attribution.size <= FINE else np.rint(255 * heatmap).astype(np.uint8)
            for one, heatmap in zip(found.explanations, heatmaps, strict=True)
        ]
        return cls(tuple(kept), found.similarities, tuple(not heatmap.any() for heatmap in heatmaps))


def views(experiment: Experiment, kind: Corruption) -> list[NDArray[np.uint8]]:
    """Return the corrupted view at each level, (H, W, 3) each."""
    view = experiment.view
    return [edits.corrupt(view, kind, strength) for strength in STRENGTHS]


def answers(experiment: Experiment, kind: Corruption) -> Answers | None:
    """Return the answers at all levels, of one batch; None after an error, which the page shows, or after Cancel."""
    model, index = experiment.model, experiment.explained_class

    seconds = LEVELS * cost.seconds_per_pass(model)

    def work(report: ReportProgress) -> Answers:
        with in_queue(report) as shown:
            progress = shown if seconds > tasks.SHORT else None  # a bar that comes and goes moves the page
            found = edits.corruption_curve(model, experiment.image.decoded, kind, fit=experiment.fit, progress=progress)
        explained = tuple(model.prediction(index, answer) for answer in found.of_class(index))
        return Answers(found.predictions, explained)

    ask: Literal["if slow", "never"] = "if slow" if seconds <= tasks.PATIENCE else "never"
    key = ("corruption", *experiment.key, kind, index)
    return tasks.run("corruption", key, seconds, tr("Compute the predictions"), work, ask=ask)


def known_maps(question: Question, kind: Corruption) -> Maps | None:
    """Return the heatmaps of a corruption if they were computed before, for any visitor."""
    found: Maps | None = result_store().get(_key(question, kind))
    return found


def is_quick(question: Question, kind: Corruption) -> bool:
    """Return whether the heatmaps are computed without a click."""
    return _seconds(question) <= tasks.PATIENCE and not tasks.was_canceled("corruption_maps", _key(question, kind))


def maps(question: Question, kind: Corruption) -> Maps | None:
    """Return the heatmaps at all levels: at once if they are quick, else after a click. None: not yet."""

    def work(report: ReportProgress) -> Maps:
        seconds = _seconds(question)
        if seconds <= tasks.SHORT:  # a bar that comes and goes moves the page
            untouched = explanations.compute(question)
            with in_queue(report):
                return Maps.of(heatmap_curve(untouched, kind))
        first, rest = tasks.parts_of(report, [seconds / LEVELS, seconds])
        untouched = explanations.compute(question, first)
        with in_queue(rest) as progress:
            found = heatmap_curve(untouched, kind, progress=progress)
        return Maps.of(found)

    what = tr("Compute the heatmaps of all levels")
    return tasks.run("corruption_maps", _key(question, kind), _seconds(question), what, work)


def _seconds(question: Question) -> float:
    return LEVELS * cost.explanation_seconds(question, batched=True)


def _key(question: Question, kind: Corruption) -> tuple[object, ...]:
    return "corruption maps", question.key, kind


def level_images(experiment: Experiment, kind: Corruption) -> bytes:
    """Return the images of all levels, one below the other, as one JPEG."""
    return result_store().once(("corruption levels", *experiment.key, kind), lambda: _stacked(views(experiment, kind)))


def level_overlays(experiment: Experiment, question: Question, kind: Corruption, found: Maps, look: Look) -> bytes:
    """Return the same images under their heatmaps."""

    def make() -> bytes:
        size = experiment.model.input_size
        return _stacked(
            [
                render.overlay(view, render.heatmap(one, size), look.strength, look.colors)
                for view, one in zip(views(experiment, kind), found.heatmaps, strict=True)
            ]
        )

    return result_store().once(("corruption overlays", question.key, kind, look.strength, look.colors), make)


def _stacked(images: Sequence[NDArray[np.uint8]]) -> bytes:
    return encode.jpeg(np.concatenate(images), quality=QUALITY)


def amount(kind: Corruption, level: int, size: tuple[int, int]) -> Message:
    """Return a description of the corruption at a level."""
    strength = STRENGTHS[level]
    if not strength:
        return Message("untouched image")
    shown = {
        "blur": Message("blur of {pixels} pixels", pixels=f"{strength * edits.corruptions.BLUR * min(size):.1f}"),
        "noise": Message("noise of {share}", share=percent(strength * edits.corruptions.NOISE, 0)),
        "jpeg": Message("JPEG quality {quality}", quality=round(100 - 99 * strength)),
        "brightness": Message("brighter by {share}", share=percent(strength * edits.corruptions.BRIGHTNESS, 0)),
        "rotation": Message("rotated by {angle}°", angle=round(strength * edits.corruptions.ANGLE)),
        "zoom": Message("{times} times as large", times=f"{1 + (edits.corruptions.ZOOM - 1) * strength:.1f}"),
        "stripes": Message("{share} covered", share=percent(strength * edits.corruptions.COVERED, 0)),
    }
    return shown[kind]
