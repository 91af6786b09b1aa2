"""Corrupt: one corruption along its levels, with the predictions, the heatmap and the levels at which they change."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import streamlit as st

from ...edits.corruptions import STRENGTHS, Corruption
from ...explanation.heatmap_curve import BROKEN
from ...explanation.question import Question
from ...messages import Message
from ...models import Prediction
from ...stage.look import Look
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr, tr_class, tr_message
from ..session.markdown import escaped
from ..session.streamlit_internals import media_address
from ..widgets import method_picker, perturbation, stage
from . import conclusions, corruption_report, corruptions, downloads, python_code
from .corruptions import LEVELS, TITLES, Answers, Maps

FIRST_COLOR, OTHER_COLOR = "#0b84a5", "#d55e00"
SHOWN = 4  # classes beside the image
KEY = "perturbation.corruption"


def choose() -> Corruption:
    """Draw the picker of the corruption, and return the chosen one."""
    kind: Corruption = settings.setting("corruption", "blur", TITLES)
    st.pills(
        tr("Corruption"),
        TITLES,
        format_func=lambda key: tr_message(TITLES[key]),
        key="corruption",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return kind


def draw(experiment: Experiment, kind: Corruption) -> None:
    """Draw the effect of a corruption."""
    look, answer = stage.look(), st.container(key="perturb_answer").container(key="answer")
    left, right = st.columns([5, 3], gap="large")
    with left:  # before the controls, which stand below it on a phone
        status, place = st.container(), st.container(key="corrupted").container()
    with right:
        question = method_picker.ask(experiment)
    with status:
        found = corruptions.answers(experiment, kind)
        if found is None:
            return
        maps = _maps(question, kind)
        images = _images(experiment, question, kind, maps, look)  # before the place is drawn, so that nothing moves
    with place:
        sentences = [conclusions.predictions(found.predictions, found.explained)]
        if maps is not None and not maps.empty[0]:
            sentences.append(conclusions.heatmaps(maps.similarities, maps.empty))
        answer.markdown(escaped(" ".join(tr_message(one) for one in sentences)))
        _scrubber(experiment, kind, found, maps, images)
        if maps is None and question is not None:
            computed = corruptions.maps(question, kind)
            if computed is not None:
                st.rerun()
    with right:
        st.caption(
            tr(
                "**How to read it.** The slider changes the level, from the untouched image (0) to the strongest "
                "corruption ({last}). Similarity is the rank correlation of the heatmap with that of the untouched "
                "image; below {broken} it counts as another heatmap. For rotation and zoom the untouched heatmap is "
                "moved with the image first.",
                last=LEVELS - 1,
                broken=BROKEN,
            )
        )
        st.caption(tr("**Limitations.** {caution}", caution=conclusions.ONE_IMAGE))
    with st.expander(tr("Table of all numbers")):
        st.table(_table(experiment, kind, found, maps))
    code = python_code.of_corruption(experiment, kind, question)
    downloads.offer(
        experiment,
        Message("{name} of {image}", name=Message(TITLES[kind]), image=experiment.image.name),
        lambda: corruption_report.sections(experiment, kind, found, maps, look),
        lambda: corruption_report.asked(kind, question, experiment.image.name),
        lambda: corruption_report.numbers(found, maps),
        code,
        kind,
    )
    python_code.show(code)


def _maps(question: Question | None, kind: Corruption) -> Maps | None:
    """Return the heatmaps that are known or quick."""
    if question is None:
        return None
    found = corruptions.known_maps(question, kind)
    if found is None and corruptions.is_quick(question, kind):
        found = corruptions.maps(question, kind)
    return found


def _images(
    experiment: Experiment, question: Question | None, kind: Corruption, maps: Maps | None, look: Look
) -> dict[str, str]:
    """Return the addresses of the images of all levels, without and with the heatmaps."""
    found = {"levels": media_address(corruptions.level_images(experiment, kind), "image/jpeg", f"{KEY}.levels")}
    if maps is not None and question is not None:
        overlays = corruptions.level_overlays(experiment, question, kind, maps, look)
        found["overlays"] = media_address(overlays, "image/jpeg", f"{KEY}.overlays")
    return found


def _scrubber(
    experiment: Experiment, kind: Corruption, found: Answers, maps: Maps | None, images: Mapping[str, str]
) -> None:
    model = experiment.model
    level = settings.setting("level", _opening_level(found, maps), range(LEVELS), int)
    perturbation.show(
        KEY,
        model.input_size,
        images,
        _lines(found, maps),
        perturbation.Words(
            tr("Image at the level that the slider shows"),
            tr("Level of the corruption"),
            [_readout(kind, level, model.input_size, found, maps) for level in range(LEVELS)],
            tr("Predictions at this level"),
            tr("Show the heatmap"),
        ),
        level,
        rows=[_rows(found, level) for level in range(LEVELS)],
        moved=lambda level: settings.choose("level", level),
    )


def _opening_level(found: Answers, maps: Maps | None) -> int:
    """Return the level at which the page opens: where the prediction changes, or the heatmap, or else the middle."""
    first = found.predictions[0][0].index
    changed = _first(best[0].index != first for best in found.predictions)
    broken = _first(one < BROKEN for one in maps.similarities) if maps else None
    return changed or broken or LEVELS // 2


def _first(broken: Iterable[bool]) -> int | None:
    """Return the first level that is True; None if there is none."""
    return next((level for level, one in enumerate(broken) if one), None)


def _lines(found: Answers, maps: Maps | None) -> list[perturbation.Line]:
    """Return the curves of the explained class, of the first prediction, and of the similarity of the heatmap."""
    first = [best[0] for best in found.predictions]
    name = tr_message(found.explained[0].label)
    lines = [perturbation.Line(name, _heights(found.explained), _texts(found.explained), OTHER_COLOR)]
    changed = _first(best.index != first[0].index for best in first)
    if len(found.predictions[0]) > 1:
        lines.append(
            perturbation.Line(tr("First prediction"), _heights(first), _texts(first), FIRST_COLOR, "6 4", changed)
        )
    if maps is not None:
        broken = _first(one < BROKEN for one in maps.similarities)
        heights = [max(0.0, one) for one in maps.similarities]
        texts = [f"{one:.2f}" for one in maps.similarities]
        lines.append(perturbation.Line(tr("Similarity of the heatmap"), heights, texts, "currentColor", "2 3", broken))
    return lines


def _heights(answers: Sequence[Prediction]) -> list[float]:
    if not isnan(answers[0].probability):
        return [one.probability for one in answers]
    low, high = min(one.value for one in answers), max(one.value for one in answers)
    return [(one.value - low) / ((high - low) or 1.0) for one in answers]


def _texts(answers: Sequence[Prediction]) -> list[str]:
    return [tr_message(one.shown()) for one in answers]


def _readout(kind: Corruption, level: int, size: tuple[int, int], found: Answers, maps: Maps | None) -> str:
    best, explained = found.predictions[level][0], found.explained[level]
    said = tr(
        "Level {level} ({amount}): {label}, {share}.",
        level=level,
        amount=corruptions.amount(kind, level, size),
        label=best.label,
        share=best.shown(),
    )
    if explained.index != best.index:
        said += " " + tr("{label}: {share}.", label=explained.label, share=explained.shown())
    if maps is not None and maps.empty[level]:
        said += " " + tr("The heatmap is empty.")
    elif maps is not None:
        said += " " + tr("Similarity of the heatmap: {similarity}.", similarity=f"{maps.similarities[level]:.2f}")
    return said


def _rows(found: Answers, level: int) -> list[perturbation.Row]:
    explained = found.explained[level]
    best = found.predictions[level][:SHOWN]
    shown = best if explained.index in [one.index for one in best] else (*best, explained)
    return [
        (
            tr_class(one.label),
            tr_message(one.shown()),
            0.0 if isnan(one.probability) else one.probability,
            one.index == explained.index,
        )
        for one in shown
    ]


def _table(experiment: Experiment, kind: Corruption, found: Answers, maps: Maps | None) -> dict[str, list[Any]]:
    size = experiment.model.input_size
    table: dict[str, list[Any]] = {
        tr("Level of the corruption"): [
            f"{level}: {tr_message(corruptions.amount(kind, level, size))}" for level in range(len(STRENGTHS))
        ],
        tr("First prediction"): [
            f"{escaped(tr_message(best[0].label))}, {tr_message(best[0].shown())}" for best in found.predictions
        ],
        escaped(tr_message(found.explained[0].label)): _texts(found.explained),
    }
    if maps is not None:
        table[tr("Similarity of the heatmap")] = [f"{one:.2f}" for one in maps.similarities]
    return table
