"""The expected results of a guess in a lesson, computed without a server."""

import re
from functools import cache

import numpy as np

import camviz
from camviz import edits
from camviz.explanation.explanation import Explanation
from camviz.teaching import marking
from camviz.teaching.lessons import lessons, question_of
from camviz.ui.session.language import tr_message


@cache
def region_of(lesson: int, number: int) -> str:
    """Return the region that a student marks: an ellipse somewhere on the image, packed."""
    rng = np.random.default_rng((lesson, number))
    rows, columns = np.mgrid[:56, :56]
    place, size = rng.uniform(14, 42, 2), rng.uniform(8, 20, 2)
    return edits.pack(((rows - place[0]) / size[0]) ** 2 + ((columns - place[1]) / size[1]) ** 2 < 1)


@cache
def expected_feedback(lesson: int, value: str) -> list[str]:
    """Return patterns of the page's result for a guess: a packed region, or an option."""
    prompt = lessons()[lesson - 1].prompts[0]
    if prompt.kind == "choice":
        right = prompt.options[prompt.right - 1]
        return [re.escape(f"Right: {right}" if value == right else f"You chose: {value}. Right is: {right}")]
    e = _explanation(lesson)
    fit = marking.overlap(edits.unpack(value), e)
    assert fit is not None
    best = e.question.model.predict(marking.alone(value, e.view), 1, "stretch")[0]
    share = round(100 * best.probability)
    shares = "|".join(str(one) for one in (share - 1, share, share + 1))  # the server computes several in one batch
    return [
        re.escape(f"holds {fit.mass:.0%} of the heatmap on {fit.area:.0%} of the image"),
        rf"\*\*{re.escape(tr_message(best.label))}, ({shares})%\*\*",
    ]


@cache
def _explanation(lesson: int) -> Explanation:
    question = question_of(lessons()[lesson - 1].heatmaps[0])
    return camviz.explain(question.model, question.image, question.method.key)
