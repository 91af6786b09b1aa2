"""The test that hides what a heatmap highlights, and its rounds, which hide what each next heatmap highlights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from ... import encode
from ...errors import CamvizError
from ...explanation import hiding
from ...explanation.explanation import Explanation
from ...messages import Message, join
from ...models import Prediction
from ...report import ReportImage, Section
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from . import guesses

SHOWN, GUESS = "hide", "hide_guess"  # settings
_GUESSED = "_hide_guessed"  # in st.session_state: the key of the heatmap that the guess is about
REGIONS = (
    Message("Highlighted region hidden"),
    Message("Random region hidden"),
    Message("Least highlighted region hidden"),
)
ROUNDS = Message(
    "Each round hides what the heatmap of the remaining image highlights. The probability shows how much evidence the "
    "model still finds."
)


@dataclass(frozen=True)
class Shown:
    """An image with a hidden region, its first prediction, and the prediction of the explained class."""

    image: bytes = field(repr=False)
    predicted: Prediction
    explained: Prediction

    @classmethod
    def of(cls, hidden: hiding.Hidden) -> "Shown":
        """Return the parts of a result that are shown."""
        return cls(encode.jpeg(hidden.view), hidden.predictions[0], hidden.explained)

    @property
    def text(self) -> str:
        """Return the first prediction, and that of the explained class if it is another one."""
        answers = dict.fromkeys(
            f"{escaped(tr_message(one.label))} {one.shown(0)}" for one in (self.predicted, self.explained)
        )
        return "  \n".join(answers)


def draw(e: Explanation, button: Any, place: Any) -> None:
    """Draw the button in one place, and the results of the test in another one.

    The link keeps the parts that are shown: "once" is the test, "again" the test and its rounds.
    """
    asked = settings.asked(SHOWN) or ""
    if not asked and st.session_state.get(_GUESSED) not in (None, e.question.key):
        settings.choose(GUESS, None)  # the guess was on another heatmap
    st.session_state[_GUESSED] = e.question.key
    settings.show(SHOWN, _draw(e, button, place, asked))


def _draw(e: Explanation, button: Any, place: Any, asked: str) -> str:
    """Draw the results that are known or asked for; return the value of the link's setting."""
    if not e.heatmap.any():  # the page shows a note on it
        return ""
    with button:
        guess = guesses.ask(GUESS)
    if guess is None:
        return ""
    seconds = 4 * cost.seconds_per_pass(e.question.model)
    found = _after_click(e, "hide", button, tr("Hide it and see"), seconds, _hide, bool(asked))
    if found is None:
        return ""
    sentence, outcome, images = found
    with place:
        st.markdown(f"**{escaped(tr_message(sentence))}**")
        guesses.show(guess, outcome)
        _row([tr_message(title) for title in REGIONS], images)
        again = st.container()
        seconds = hiding.ROUNDS * (cost.explanation_seconds(e.question) + cost.seconds_per_pass(e.question.model))
        steps = _after_click(
            e, "hide_again", again, tr("Hide it and ask again"), seconds, _hide_again, asked == "again"
        )
        if steps is None:
            return "once"
        _row([tr("Round {number}", number=number + 1) for number in range(len(steps))], steps)
        st.caption(tr_message(ROUNDS))
        return "again"


def sections(e: Explanation) -> Callable[[], list[Section]]:
    """Return the function that makes the sections of a report on what the page shows of this test."""
    shown, guess = st.session_state.get(SHOWN), st.session_state.get(GUESS)
    found = result_store().get(("hide", e.question.key)) if shown else None
    steps = result_store().get(("hide_again", e.question.key)) if shown == "again" else None
    guess = guess if st.session_state.get("guess_first") else None

    def make() -> list[Section]:
        if found is None:
            return []
        sentence, outcome, images = found
        said = [sentence, *([guesses.verdict(guess, outcome)] if guess else [])]
        made = [Section(Message("Hide it and see"), said, _images(REGIONS, images))]
        if steps is not None:
            rounds = [Message("Round {number}", number=number + 1) for number in range(len(steps))]
            made.append(Section(Message("Hide it and ask again"), [ROUNDS], _images(rounds, steps)))
        return made

    return make


def python_code() -> str:
    """Return the lines of Python that compute what the page shows of this test; `explanation` is the heatmap."""
    shown = st.session_state.get(SHOWN)
    once = "\nhidden = camviz.hide_highlighted(explanation)\nprint(hidden.sentence)\n"
    again = "for step in camviz.hide_and_ask_again(explanation):\n    print(step.probability)\n"
    return {"once": once, "again": once + again}.get(str(shown), "")


def _images(titles: Sequence[str], images: Sequence[Shown]) -> list[ReportImage]:
    said = []
    for title, one in zip(titles, images, strict=True):
        answers = dict.fromkeys(
            Message("{label} {share}", label=shown.label, share=shown.shown(0))
            for shown in (one.predicted, one.explained)
        )
        said.append(Message("{first}: {second}", first=title, second=join(list(answers))))
    return [ReportImage(one.image, text, text) for one, text in zip(images, said, strict=True)]


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


def _after_click(e: Explanation, name: str, place: Any, what: str, seconds: float, work: Any, asked: bool) -> Any:
    try:
        return tasks.run(
            name,
            (name, e.question.key),
            seconds,
            what,
            lambda report: work(e, report),
            ask="if slow" if asked else "always",
            place=place,
        )
    except CamvizError as error:
        place.error(error_text(error))
        return None


def _row(titles: Sequence[str], images: Sequence[Shown]) -> None:
    for column, title, one in zip(st.columns(max(3, len(images))), titles, images, strict=False):
        column.image(one.image, alt=f"{title}: {one.text}", width="stretch")
        column.caption(f"{title}  \n{one.text}")
