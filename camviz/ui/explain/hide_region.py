"""Hide what a heatmap highlights, and see whether the prediction changes; then find what the model falls back on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...explanation import hiding
from ...explanation.explanation import Explanation
from ...models import Prediction
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from . import guesses


@dataclass(frozen=True)
class Shown:
    """An image without a part of it, and the two answers below it: the first prediction, and the explained class."""

    image: bytes = field(repr=False)
    predicted: Prediction
    explained: Prediction

    @classmethod
    def of(cls, hidden: hiding.Hidden) -> "Shown":
        """Return what is shown of a result."""
        return cls(encode.jpeg(hidden.view), hidden.predictions[0], hidden.explained)

    @property
    def text(self) -> str:
        """The first prediction, and the answer for the explained class where it is another one."""
        answers = dict.fromkeys(
            f"{escaped(tr_message(one.label))} {one.shown(0)}" for one in (self.predicted, self.explained)
        )
        return "  \n".join(answers)


def draw(e: Explanation, button: Any, place: Any) -> None:
    """Draw the button in one place, and the results of the test in another one."""
    if not e.heatmap.any():  # the page says so
        return
    with button:
        guess = guesses.ask("hide_guess")
    if guess is None:
        return
    found = _after_click(e, "hide", button, tr("Hide it and see"), 4 * cost.seconds_per_pass(e.question.model), _hide)
    if found is None:
        return
    sentence, outcome, images = found
    with place:
        st.markdown(f"**{escaped(tr_message(sentence))}**")
        guesses.say(guess, outcome)
        _row(
            (tr("Highlighted region hidden"), tr("Random region hidden"), tr("Least highlighted region hidden")), images
        )
        again = st.container()
        seconds = hiding.ROUNDS * (cost.explanation_seconds(e.question) + cost.seconds_per_pass(e.question.model))
        steps = _after_click(e, "hide_again", again, tr("Hide it and ask again"), seconds, _hide_again)
        if steps is not None:
            _row([tr("Round {number}", number=number + 1) for number in range(len(steps))], steps)
            st.caption(
                tr(
                    "Each round hides what the heatmap highlights in the image that is left. The number shows how much "
                    "the model still finds elsewhere."
                )
            )


def _hide(e: Explanation, report: ReportProgress) -> tuple[str, str, list[Shown]]:
    with in_queue(report):
        found = hiding.hide_highlighted(e)
    before, after = found.before, found.highlighted
    same = before.predictions[0].index == after.predictions[0].index
    outcome = guesses.outcome(same, before.explained.probability, after.explained.probability)
    return found.sentence, outcome, [Shown.of(one) for one in (found.highlighted, found.random, found.least)]


def _hide_again(e: Explanation, report: ReportProgress) -> list[Shown]:
    with in_queue(report) as progress:
        return [Shown.of(step.result) for step in hiding.hide_and_ask_again(e, progress=progress)]


def _after_click(e: Explanation, name: str, place: Any, what: str, seconds: float, work: Any) -> Any:
    try:
        return tasks.run(
            name, (name, e.question.key), seconds, what, lambda report: work(e, report), ask="always", place=place
        )
    except CamvizError as error:
        place.error(error_text(error))
        return None


def _row(titles: Sequence[str], images: Sequence[Shown]) -> None:
    for column, title, one in zip(st.columns(max(3, len(images))), titles, images, strict=False):
        column.image(one.image, alt=f"{title}: {one.text}", width="stretch")
        column.caption(f"{title}  \n{one.text}")
