"""The answers of a class to one question, beside the model's answer."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ...stage.look import Look
from ...stage.stage_map import StageMap
from ...teaching.shares import Difference, Share
from ...text import percent
from ..server.rooms import Answer, Picture, Question
from ..session.language import tr, tr_class, tr_message
from ..session.markdown import escaped
from ..widgets import charts
from ..widgets import stage as stages

LOOK = Look()
LETTERS = "ABCDEFGHIJ"
STEP = 10  # percentage points of a bar


def draw(key: str, question: Question, answers: Sequence[Answer], masks: NDArray[np.int32], told: bool) -> None:
    """Show the answers and, if `told`, what is right."""
    if told:
        st.markdown(f"**{answer_text(question)}**")
    if question.kind == "region" and answers:
        _regions(key, question, answers, masks, told)
        return
    left, right = st.columns([4, 3], gap="medium")
    with left:
        if answers:
            SHOWN[question.kind](key, question, answers)
        else:
            st.caption(tr("Nobody has answered."))
        if told:
            _shares(answers)
    with right:
        if told:
            heatmap(key, question.picture)
        else:
            image(key, question.picture, question.maps == "everybody")


def _choices(key: str, question: Question, answers: Sequence[Answer]) -> None:
    names = [choice_text(question, one) for one in question.choices]
    counts = Counter(answer.value for answer in answers)
    charts.bars(f"{key}.bars", names, [counts[one] for one in question.choices], tr("Answers by class"))


def _sentences(key: str, question: Question, answers: Sequence[Answer]) -> None:
    sentences(answers)


def sentences(answers: Sequence[Answer]) -> None:
    """Show all sentences as a list."""
    st.markdown("\n".join(f"- {escaped(str(answer.value))}" for answer in answers))


def answer_text(question: Question) -> str:
    """Return what the model predicts."""
    return escaped(tr("The model predicts {label} ({share}).", label=question.predicted, share=question.shown))


def class_text(question: Question) -> str:
    """Return which class the model predicts."""
    return escaped(tr("The model predicts {label}.", label=question.predicted))


def choice_text(question: Question, choice: str) -> str:
    """Return a choice with its letter."""
    return f"{LETTERS[question.choices.index(choice)]} · {tr_class(choice)}"


def image(key: str, picture: Picture, with_map: bool) -> None:
    """Show the image of a question, with or without its heatmap."""
    alt = _alt(picture) if with_map else tr("The image of the question")
    with st.container(key=f"stage_slot_{key}_image"):
        stages.stage(f"{key}.image", picture.jpeg, picture.size, picture.map if with_map else None, LOOK, alt)


def heatmap(key: str, picture: Picture) -> None:
    """Show the model's heatmap, and say what it shows."""
    image(f"{key}_model", picture, True)
    st.caption(escaped(tr_message(picture.about)))


def _alt(picture: Picture) -> str:
    return tr("{about} over the image", about=tr_message(picture.about))


def regions(key: str, original: bytes, size: tuple[int, int], masks: NDArray[np.int32], count: int) -> None:
    """Show the sum of the masks of `count` people over an image, a JPEG of that (height, width)."""
    with st.container(key=f"stage_slot_{key}_class"):
        stages.stage(f"{key}.class", original, size, class_map(masks), LOOK, tr("All regions of the class"))
    st.caption(tr("The class: how many of {count} marked each place.", count=count))


def _regions(key: str, question: Question, answers: Sequence[Answer], masks: NDArray[np.int32], told: bool) -> None:
    """Show the sum of all regions, and beside it the heatmap."""
    left, right = st.columns(2)
    picture = question.picture
    with left:
        regions(key, picture.jpeg, picture.size, masks, len(answers))
    if not told:
        return
    with right:
        heatmap(key, picture)
    scored = [answer for answer in answers if answer.score is not None and answer.area]
    if scored:
        inside = float(np.mean([answer.score for answer in scored if answer.score is not None]))
        area = float(np.mean([answer.area for answer in scored if answer.area is not None]))
        st.markdown(
            tr(
                "On average {inside} of the heatmap lie inside a marked region, which covers {area} of the image; a "
                "random region would hold {area}.",
                inside=percent(inside, 0, exact=True),
                area=percent(area, 0, exact=True),
            )
        )


def class_map(masks: NDArray[np.int32]) -> StageMap:
    """Return the sum of masks as a map whose scale ends at the largest count."""
    top = int(masks.max())
    return StageMap((masks / max(1, top)).astype(np.float32), float(top))


def _numbers(key: str, question: Question, answers: Sequence[Answer]) -> None:
    """Show numbers of percent as bars of tens, and their median."""
    values = [float(answer.value) for answer in answers]
    counts = Counter(min(100 - STEP, max(0, int(value // STEP) * STEP)) for value in values)
    lows = range(0, 100, STEP)
    names = [tr("{low} to {high}%", low=low, high=low + STEP) for low in lows]
    charts.bars(f"{key}.bars", names, [counts[low] for low in lows], tr("Answers by size"))
    st.markdown(tr("The median of the class is {value}.", value=percent(median(values) / 100, exact=True)))


def _shares(answers: Sequence[Answer]) -> None:
    """Say how many were right, with and without the heatmap."""
    judged = [answer for answer in answers if answer.right is not None]
    groups = [[answer for answer in judged if answer.with_map is with_map] for with_map in (True, False)]
    first, second = (Share.of(sum(bool(one.right) for one in group), len(group)) for group in groups)
    if first is None or second is None:
        one = first or second
        if one is not None:
            st.markdown(_share_text(tr("Right"), one))
        return
    gap = Difference.of(first, second)
    st.markdown(_share_text(tr("Right with the heatmap"), first))
    st.markdown(_share_text(tr("Right without it"), second))
    st.markdown(
        tr(
            "Difference: {points} percentage points. If the heatmap does not matter, chance alone brings at least as "
            "large a difference in {chance} of classes like this (Fisher's exact test).",
            points=f"{100 * gap.value:+.0f}".replace("-", "\N{MINUS SIGN}"),
            chance=percent(gap.p_value, 0, exact=True),
        )
    )


def _share_text(what: str, share: Share) -> str:
    return tr(
        "{what}: {right} of {total}, {share} (95% interval {low} to {high})",
        what=what,
        right=share.right,
        total=share.total,
        share=percent(share.value, 0, exact=True),
        low=percent(share.low, 0, exact=True),
        high=percent(share.high, 0, exact=True),
    )


SHOWN = {"choice": _choices, "number": _numbers, "sentence": _sentences}
