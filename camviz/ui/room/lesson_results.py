"""The guesses of a class at the questions of lessons, each below its question."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from zlib import crc32

import streamlit as st

from ...teaching.courses import shown_lessons
from ...teaching.lessons import Lesson
from ...teaching.prompts import Prompt
from ...teaching.shares import Share
from ...text import percent
from ..results import explanations
from ..results.lesson_views import view_question
from ..server.rooms import Answer
from ..server.rooms import Lesson as Guessed
from ..session import language
from ..session.language import tr
from ..session.markdown import escaped
from ..widgets import charts
from ..widgets import stage as stages
from . import results


def draw(guessed: Sequence[Guessed]) -> None:
    """Show how many students guessed at each question and how many were right, and the guesses if opened."""
    if not guessed:
        return
    st.subheader(tr("Guesses in lessons"), anchor=False)
    known, _ = shown_lessons(language.current())  # the page Learn says what is wrong with a file
    for one in guessed:
        lesson = known.get(one.lesson)
        prompt = prompt_of(lesson, one)
        key = f"room_guesses_{one.lesson}_{one.kind}_{crc32(one.question.encode())}"
        st.markdown(_summary(one, prompt))
        box = st.expander(tr("Show the guesses"), key=key, on_change="rerun")
        if box.open and one.answers:
            with box:
                _shown(f"{key}_shown", one, lesson, prompt)


def prompt_of(lesson: Lesson | None, guessed: Guessed) -> Prompt | None:
    """Return the question of a lesson that was guessed at; None if it is no longer there."""
    prompts = lesson.prompts if lesson else ()
    return next((one for one in prompts if (one.key, one.kind) == (guessed.question, guessed.kind)), None)


def _summary(guessed: Guessed, prompt: Prompt | None) -> str:
    judged = [answer for answer in guessed.answers if answer.right is not None]
    share = Share.of(sum(bool(answer.right) for answer in judged), len(judged))
    said = tr(
        "Lesson {number}: {question} Guesses: {count}.",
        number=guessed.lesson,
        question=escaped(prompt.text if prompt else guessed.question),
        count=len(guessed.answers),
    )
    if share is None:
        return said
    return f"{said} " + tr(
        "Right: {share} (95% interval {low} to {high}).",
        share=percent(share.value, 0, exact=True),
        low=percent(share.low, 0, exact=True),
        high=percent(share.high, 0, exact=True),
    )


def _shown(key: str, guessed: Guessed, lesson: Lesson | None, prompt: Prompt | None) -> None:
    if guessed.kind == "region":
        if lesson and prompt:
            _regions(key, guessed, lesson, prompt)
    elif guessed.kind == "number":
        values = [float(answer.value) for answer in guessed.answers]
        st.markdown(tr("The median of the class is {value}.", value=f"{median(values):g}"))
        st.caption(", ".join(f"{value:g}" for value in sorted(values)))
    elif guessed.kind == "choice":
        _choices(key, guessed.answers, prompt)
    else:
        results.sentences(guessed.answers)


def _choices(key: str, answers: Sequence[Answer], prompt: Prompt | None) -> None:
    counts = Counter(str(answer.value) for answer in answers)
    keys = prompt.keys if prompt else tuple(sorted(counts))
    names = prompt.options if prompt else keys
    charts.bars(f"{key}.bars", names, [counts[one] for one in keys], tr("Answers by choice"))


def _regions(key: str, guessed: Guessed, lesson: Lesson, prompt: Prompt) -> None:
    """Show the sum of all regions, and beside it the network's heatmap once a student has opened it."""
    question = view_question(lesson.heatmaps[prompt.view - 1])
    original, size = stages.original_of(question), question.model.input_size
    left, right = st.columns(2)
    with left:
        results.regions(key, original, size, guessed.regions, len(guessed.answers))
    e = explanations.known(question)
    if e is not None:
        with right:
            view = lesson.heatmaps[prompt.view - 1]
            alt = tr("{map}: heatmap of {label} over the image", map=tr(view.label), label=language.tr_message(e.label))
            with st.container(key=f"stage_slot_{key}_model"):
                stages.stage(f"{key}.model", original, size, stages.map_of(e), results.LOOK, alt)
            st.caption(tr("The heatmap of the model."))
