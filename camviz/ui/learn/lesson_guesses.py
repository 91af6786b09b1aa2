"""The guesses of a student in a lesson before its answer is opened, and the results of the guesses."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
import torch

from ... import edits
from ...edits import predictions_of
from ...errors import CamvizError, RoomError
from ...explanation.explanation import Explanation
from ...messages import Message
from ...models import Prediction
from ...teaching import marking
from ...teaching.guesses import LONGEST, Guess
from ...teaching.lessons import Lesson, View
from ...teaching.prompts import Prompt
from ..inputs import kept_work, membership
from ..server.forward_batches import forward_batches
from ..server.store import result_store
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from . import regions

# In st.session_state: when each lesson was first shown, and why a value was refused.
_STARTED, _REFUSED = "_lesson_started", "_guess_refused"


def started() -> dict[int, float]:
    """Return when each lesson was first shown, in seconds of the clock, in the order in which they were shown."""
    found: dict[int, float] = st.session_state.setdefault(_STARTED, {})
    return found


def begin(lesson: Lesson, opened: bool) -> None:
    """Store that a lesson is shown, and whether its answer is opened."""
    if lesson.number not in started():
        started()[lesson.number] = kept_work.started(lesson.number) or time.time()
    if opened and lesson.prompts:
        kept_work.see(lesson.number)


def asks(lesson: Lesson) -> bool:
    """Return whether the prompts of a lesson can still be answered, before its answer has been seen."""
    return bool(lesson.prompts) and lesson.number not in kept_work.seen()


def given(lesson: Lesson) -> bool:
    """Return whether a guess of this lesson is kept."""
    return any(number == lesson.number for number, _ in kept_work.guesses())


def draw(lesson: Lesson, open_answer: Callable[[int], None]) -> None:
    """Draw the prompts of a lesson, and the button that checks the guesses and opens the answer."""
    for number, prompt in enumerate(lesson.prompts):
        place = lesson.number, number
        key = f"guess.{lesson.number}.{number}"
        _restore(key, place, prompt)
        common: dict[str, Any] = {
            "key": key,
            "persist_state": "session",
            "on_change": lambda key=key, place=place: keep_draft(place, st.session_state[key]),
        }
        if prompt.kind == "choice":
            shown = dict(zip(prompt.keys, prompt.options, strict=True))
            st.radio(prompt.text, prompt.keys, format_func=shown.get, index=None, **common)
        elif prompt.kind == "number":
            st.number_input(prompt.text, value=None, format="%g", **common)
        elif prompt.kind == "sentence":
            st.text_area(prompt.text, max_chars=LONGEST, **common)
        else:
            st.markdown(prompt.text)
            if not regions.marked(place):
                st.caption(tr("Mark it on the image with the brush, or with the arrow keys and the space bar."))
    if refused := st.session_state.pop(_REFUSED, None):
        st.warning(error_text(refused))
    st.button(
        tr("Check my guess"),
        key="lesson.check",
        type="primary",
        icon=":material/check:",
        on_click=_check,
        args=(lesson, open_answer),
    )


def _restore(key: str, place: kept_work.Place, prompt: Prompt) -> None:
    """Fill an empty widget with its draft, from before a reload or from another tab."""
    kept = kept_work.draft(place)
    if kept is None or st.session_state.get(key) not in (None, ""):
        return
    fits = {"choice": kept in prompt.keys, "number": isinstance(kept, float), "sentence": isinstance(kept, str)}
    if fits.get(prompt.kind):  # else a lesson that has changed
        st.session_state[key] = kept


def keep_draft(place: kept_work.Place, value: str | float | None) -> None:
    """Keep the draft of a prompt, for a reload. Called in callbacks."""
    kept_work.keep_draft(place, value, started().get(place[0], time.time()))


def _check(lesson: Lesson, open_answer: Callable[[int], None]) -> None:
    """Keep the guesses if all are complete, and open the answer."""
    values: list[Any] = []
    for number, prompt in enumerate(lesson.prompts):
        place = (lesson.number, number)
        value: Any = st.session_state.get(f"guess.{lesson.number}.{number}")
        value = regions.marked(place) if prompt.kind == "region" else "" if value is None else value
        try:
            if prompt.kind == "region" and not value:
                raise CamvizError(marking.NO_REGION)
            marking.mark(prompt, value)
        except CamvizError as error:
            st.session_state[_REFUSED] = error.message
            return
        values.append(value)
    seconds = min(time.time() - started().get(lesson.number, time.time()), 86_400.0)
    kept_work.give(lesson.number, values, max(0.0, seconds))
    open_answer(lesson.number)


def mark(lesson: Lesson, found: Sequence[Explanation]) -> None:
    """Mark the guesses that were given last; `found`: the heatmaps of the lesson, empty if they were canceled."""
    given = kept_work.given(lesson.number)
    if given is None or len(found) < len(lesson.heatmaps):
        return
    kept_work.marked(lesson.number)
    values, seconds = given
    for place, (prompt, value) in enumerate(zip(lesson.prompts, values, strict=True)):
        e = found[prompt.view - 1] if prompt.kind == "region" else None
        with_map = bool(lesson.heatmaps) and lesson.hides != "heatmaps"
        guess = marking.guess(lesson.number, prompt, value, round(seconds, 1), with_map, e)
        if kept_work.keep_guess((lesson.number, place), guess):
            _send(guess)


def _send(guess: Guess) -> None:
    """Send a guess to the room of the student, if there is one."""
    try:
        membership.send(guess)
    except RoomError as error:
        settings.note(error_text(error))


def results(lesson: Lesson, found: Sequence[Explanation], open_view: Callable[[View], None]) -> None:
    """Show the result of each guess of a lesson; `open_view` is called in a callback."""
    guesses = kept_work.guesses()
    for place, prompt in enumerate(lesson.prompts):
        guess = guesses.get((lesson.number, place))
        if guess is None:
            continue
        if guess.kind == "region" and found:
            _region(lesson, place, prompt, str(guess.value), found[prompt.view - 1], open_view)
        elif guess.kind != "region":
            _result(prompt, guess)


def drawing(lesson: Lesson, view: int) -> Any:
    """Return the guessed region for the stage of a heatmap, by its number; None without one."""
    guesses = kept_work.guesses()
    for place, prompt in enumerate(lesson.prompts):
        guess = guesses.get((lesson.number, place))
        if prompt.kind == "region" and prompt.view == view and guess is not None:
            return regions.shown(str(guess.value))
    return None


def _result(prompt: Prompt, guess: Guess) -> None:
    if prompt.kind == "sentence":
        st.info(tr("You wrote: {sentence}", sentence=escaped(str(guess.value))))
    elif prompt.kind == "choice":
        chosen = prompt.option(str(guess.value))
        if guess.correct is None:
            st.info(tr("You chose: {answer}", answer=chosen))
        elif guess.correct:
            st.success(tr("Right: {answer}", answer=chosen))
        else:
            right = prompt.options[prompt.right - 1]
            st.warning(tr("You chose: {answer}. The right answer is: {right}", answer=chosen, right=right))
    else:
        value = float(guess.value)
        words = {"answer": f"{value:g}", "right": f"{prompt.expected:g}", "tolerance": f"{prompt.tolerance:g}"}
        if guess.correct:
            st.success(tr("Right: your answer is {answer}, the expected one {right} ± {tolerance}.", **words))
        else:
            words["away"] = f"{abs(value - prompt.expected):.3g}"
            st.warning(tr("Your answer is {answer}, the expected one {right} ± {tolerance}: {away} away.", **words))


def _region(
    lesson: Lesson, place: int, prompt: Prompt, text: str, e: Explanation, open_view: Callable[[View], None]
) -> None:
    fit = marking.overlap(edits.unpack(text), e)
    with st.container(border=True):
        st.markdown(escaped(tr_message(overlap_text(fit))))
        best = _alone(e, text)
        st.markdown(
            tr(
                "Your region by itself, with everything else blurred: **{label}, {share}**",
                label=escaped(tr_message(best.label)),
                share=best.shown(0),
            )
        )
        view = lesson.heatmaps[prompt.view - 1]
        st.button(
            tr("Open your region in Explain"),
            key=f"lesson.region.open.{place}",
            type="tertiary",
            icon=":material/visibility:",
            on_click=open_view,
            args=(View(view.label, view.page, {**view.settings, "edit": f"keep.blur.{text}"}),),
        )


def overlap_text(fit: marking.Overlap | None) -> Message:
    """Return a sentence on how a region fits the heatmap."""
    if fit is None:
        return Message("The heatmap is empty, so no region fits it.")
    return Message(
        "Your region holds {mass} of the heatmap on {area} of the image: {times} times as much as a random region of "
        "this size.",
        mass=f"{fit.mass:.0%}",
        area=f"{fit.area:.0%}",
        times=f"{fit.mass / fit.area:.1f}",
    )


def _alone(e: Explanation, text: str) -> Prediction:
    """Return the first prediction for a region by itself: one forward pass, in a batch with other requests."""
    model = e.question.model

    def compute() -> Prediction:
        x = model.normalize(marking.alone(text, e.view))
        with torch.no_grad():
            answers = model.probabilities(forward_batches().scores(model, x))[0].float().cpu().numpy()
        return predictions_of(model, answers, 1)[0]

    return result_store().once(("alone", e.question.key, text), compute)
