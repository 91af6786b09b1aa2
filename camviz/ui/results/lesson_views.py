"""The heatmaps of a lesson as questions."""

from ...explanation.question import Question
from ...scores import logit
from ...teaching.lessons import View, question_of
from ..inputs.experiment import predict


def view_question(view: View) -> Question:
    """Return the question of a view, for the predicted class if it names none. Raises CamvizError."""
    question = question_of(view)
    if question.score is not None:
        return question
    return question.replace(score=logit(predict(question.model, question.image, question.fit)[0].index))
