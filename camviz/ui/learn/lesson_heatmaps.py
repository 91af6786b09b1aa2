"""The heatmaps of a lesson, in one row of stages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...stage.look import Look
from ...teaching.lessons import Lesson, View
from ..results import explanations
from ..results.lesson_views import view_question
from ..server import tasks
from ..server.queue import ReportProgress
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import stage as stages
from . import lesson_guesses, regions

FoundAll = Callable[[list[Explanation]], None]
WIDTH = 460  # pixels of a single stage


def draw(
    lesson: Lesson, opened: bool, asked: bool, open_view: Callable[[View], None], found_all: FoundAll
) -> list[Explanation]:
    """Draw the heatmaps, without the parts that the lesson hides until its answer is `opened`, and return them.

    If a region is `asked` for, it is marked on the image without a heatmap. `open_view` is called in a callback with
    the view to open in Explain, `found_all` with the heatmaps before they are drawn. Raises CamvizError.
    """
    questions = [view_question(view) for view in lesson.heatmaps]
    if not questions:
        found_all([])
        return []
    if lesson.hides == "heatmaps" and not opened:
        _without_heatmap(lesson, questions, asked)
        return []
    found = _computed(questions)
    if not found:
        return []
    if opened:
        found_all(found)
    blind = lesson.hides == "labels" and not opened
    alone = len(found) == 1
    places = [st.container(width=WIDTH)] if alone else st.columns(len(found))
    for number, (place, view, e) in enumerate(zip(places, lesson.heatmaps, found, strict=True)):
        with place:
            scale = found[view.scale - 1] if view.scale else None
            guessed = lesson_guesses.drawing(lesson, number + 1) if opened else None
            _stage(f"lesson.{number}", tr(view.label), e, scale, blind, alone, guessed)
            if not alone:
                st.markdown(f"**{escaped(tr(view.label))}**")
            if opened:
                st.caption(escaped(_facts(e)))
            if not blind:
                st.button(
                    tr("Open in Explain"),
                    key=f"lesson.open.{number}",
                    type="tertiary",
                    icon=":material/visibility:",
                    on_click=open_view,
                    args=(view,),
                )
    return found


def _without_heatmap(lesson: Lesson, questions: Sequence[Question], asked: bool) -> None:
    """Draw the image alone, and let a student mark the regions that the lesson asks for."""
    drawn = [(number, prompt) for number, prompt in enumerate(lesson.prompts) if prompt.kind == "region"]
    if asked and drawn:
        for number, prompt in drawn:
            with st.container(width=WIDTH):
                place = lesson.number, number
                keep = partial(lesson_guesses.keep_draft, place)
                regions.draw(questions[prompt.view - 1], place, keep)
    else:
        st.image(stages.original_of(questions[0]), alt=tr("Image without heatmap"), width=WIDTH)
    st.caption(tr("The heatmap is shown with the answer."))


def _computed(questions: Sequence[Question]) -> list[Explanation]:
    """Return the heatmaps, computed now if need be; an empty list after Cancel."""
    known = [explanations.known(question) for question in questions]
    found = [e for e in known if e is not None]
    if len(found) == len(questions):
        return found
    seconds = [explanations.expected_seconds(question) or tasks.PATIENCE / 20 for question in questions]

    def work(report: ReportProgress) -> list[Explanation]:
        parts = tasks.parts_of(report, seconds)
        return [explanations.compute(question, part) for question, part in zip(questions, parts, strict=True)]

    key = ("lesson", *(question.key for question in questions))
    return tasks.run("lesson", key, sum(seconds), tr("Compute the heatmaps"), work, ask="never", keep=False) or []


def _stage(
    key: str,
    label: str,
    e: Explanation,
    scale: Explanation | None,
    blind: bool,
    tools: bool,
    guessed: stages.Drawing | None,
) -> None:
    """Draw one stage; a `blind` one does not show how strong the heatmap is."""
    size = e.view.shape[0], e.view.shape[1]
    shown = stages.map_of(e, None if scale is None else stages.map_of(scale).top)
    stages.stage(
        key,
        stages.original_of(e.question),
        size,
        replace(shown, top=1.0) if blind else shown,
        stages.look() if tools else Look(),
        tr("{map}: heatmap of {label} over the image", map=label, label=tr_message(e.label)),
        stages.keep if tools else None,
        group="lesson",
        drawing=guessed,
    )


def _facts(e: Explanation) -> str:
    """Return the explained class with its probability, and the model and method."""
    return tr(
        "{label} {answer}; {method}, {model}",
        label=tr_message(e.label),
        answer=tr_message(e.shown),
        method=tr_message(e.question.method.title),
        model=tr_message(e.question.model.title),
    )
