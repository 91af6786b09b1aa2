"""The report on a corruption: curves, images at chosen levels, all numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from ... import render
from ...edits.corruptions import STRENGTHS, Corruption
from ...explanation.heatmap_curve import BROKEN
from ...explanation.question import Question
from ...explanation.recipe import to_recipe
from ...messages import Message
from ...report import Chart, ReportImage, Section
from ...stage.look import Look
from ..inputs.experiment import Experiment
from . import conclusions, corruptions, downloads
from .corruptions import LEVELS, TITLES, Answers, Maps

SIMILARITY = Message(
    "Similarity is the rank correlation of the heatmap with that of the untouched image, which is rotated or zoomed "
    "with the image first; below {broken} it counts as another heatmap.",
    broken=BROKEN,
)
SHOWN = (0, 2, 4, 6, 8, 10)  # levels whose images stand in the report, beside those at which something breaks


def sections(
    experiment: Experiment, kind: Corruption, found: Answers, maps: Maps | None, look: Look
) -> Sequence[Section]:
    """Return the section with images and curves, and the one with all numbers."""
    said = [conclusions.predictions(found.predictions, found.explained)]
    if maps is not None and not maps.empty[0]:
        said.append(conclusions.heatmaps(maps.similarities, maps.empty))
    return [
        Section(
            Message("Corruption: {name}", name=Message(TITLES[kind])),
            [*said, SIMILARITY, Message("Limitations: {caution}", caution=conclusions.ONE_IMAGE)],
            _images(experiment, kind, found, maps, look),
            [_chart(found, maps)],
        ),
        Section(Message("Table of all numbers"), table=_table(experiment, kind, found, maps)),
    ]


def asked(kind: Corruption, question: Question | None, image: str) -> dict[str, Any]:
    """Return the corruption, and the recipe of the heatmap, as data; `image` is the file of the image."""
    heatmap = {} if question is None else {"heatmap": to_recipe(question, image)}
    return {"corruption": kind, "strengths": list(STRENGTHS), **heatmap}


def numbers(found: Answers, maps: Maps | None) -> dict[str, Any]:
    """Return the numbers of a corruption as data."""
    first = found.predictions[0][0].index
    changed = next((level for level in range(LEVELS) if found.predictions[level][0].index != first), None)
    broken = (
        None if maps is None else next((level for level, one in enumerate(maps.similarities) if one < BROKEN), None)
    )
    data: dict[str, Any] = {
        "explained": [downloads.prediction_data(one) for one in found.explained],
        "predicted": [downloads.prediction_data(best[0]) for best in found.predictions],
        "breaks_at": None if changed is None else STRENGTHS[changed],
    }
    if maps is not None:
        data["similarities"] = list(maps.similarities)
        data["heatmap_breaks_at"] = None if broken is None else STRENGTHS[broken]
    return data


def _images(
    experiment: Experiment, kind: Corruption, found: Answers, maps: Maps | None, look: Look
) -> list[ReportImage]:
    size, images = experiment.model.input_size, []
    views = corruptions.views(experiment, kind)
    for level in _levels(found, maps):
        shown = views[level]
        if maps is not None:
            shown = render.overlay(shown, render.heatmap(maps.heatmaps[level], size), look.strength, look.colors)
        amount, one = corruptions.amount(kind, level, size), found.explained[level]
        caption = Message(
            "Level {level} ({amount}): {label}, {share}.",
            level=level,
            amount=amount,
            label=one.label,
            share=one.shown(),
        )
        images.append(ReportImage(shown, caption, caption))
    return images


def _levels(found: Answers, maps: Maps | None) -> list[int]:
    first = found.predictions[0][0].index
    broken = [level for level in range(LEVELS) if found.predictions[level][0].index != first][:1]
    if maps is not None:
        broken += [level for level in range(LEVELS) if maps.similarities[level] < BROKEN][:1]
    return sorted({*SHOWN, *broken})


def _chart(found: Answers, maps: Maps | None) -> Chart:
    along = list(STRENGTHS)
    lines: Mapping[str, Any] = {found.explained[0].label: (along, [_height(one) for one in found.explained])}
    if len(found.predictions[0]) > 1:
        lines = {**lines, Message("First prediction"): (along, [_height(best[0]) for best in found.predictions])}
    if maps is not None:
        lines = {**lines, Message("Similarity of the heatmap"): (along, list(maps.similarities))}
    return Chart(
        lines,
        Message("strength of the corruption"),
        Message("probability and similarity") if found.explained[0].probability >= 0 else Message("output"),
        Message("Outputs and similarity of the heatmap along the strength of the corruption"),
    )


def _height(one: Any) -> float:
    return float(one.probability if one.probability == one.probability else one.value)


def _table(experiment: Experiment, kind: Corruption, found: Answers, maps: Maps | None) -> list[tuple[str, ...]]:
    size = experiment.model.input_size
    head: tuple[str, ...] = (
        Message("Level of the corruption"),
        Message("First prediction"),
        found.explained[0].label,
    )
    rows: list[tuple[str, ...]] = [
        (
            Message("{first}: {second}", first=str(level), second=corruptions.amount(kind, level, size)),
            Message(
                "{label} {share}", label=found.predictions[level][0].label, share=found.predictions[level][0].shown()
            ),
            found.explained[level].shown(),
        )
        for level in range(LEVELS)
    ]
    if maps is not None:
        head = (*head, Message("Similarity of the heatmap"))
        rows = [(*row, f"{one:.2f}") for row, one in zip(rows, maps.similarities, strict=True)]
    return [head, *rows]
