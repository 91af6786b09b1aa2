"""The target of an explanation: a class index, a label or a score, resolved for one model."""

from collections.abc import Mapping
from typing import Any, SupportsIndex

from . import scores
from .errors import ScoreError
from .messages import Message
from .models import Model
from .scores import Score, contrast, logit, probability

Target = int | str | Score | Mapping[str, Any] | None


def resolve_target(model: Model, target: Target) -> Score | None:
    """Return the score of a target; None for None, the predicted class.

    `target`: an index, a label, a score, or the score of a recipe such as {"contrast": [281, 282]}. Raises CamvizError
    if the model has no such class.
    """
    if target is None:
        return None
    if isinstance(target, Mapping):
        target = scores.from_data(target)
    if not callable(target):
        whole = isinstance(target, SupportsIndex) and not isinstance(target, bool) and getattr(target, "ndim", 0) == 0
        if not isinstance(target, str) and not whole:
            raise ScoreError(
                "a target is the index of a class, its label, or a score; got {target}", target=repr(target)[:60]
            )
        return logit(model.class_index(target))
    if isinstance(target, contrast):
        return contrast(model.class_index(target.a), model.class_index(target.b))
    if isinstance(target, logit | probability):
        return type(target)(model.class_index(target.c))
    return target


def class_of(score: Score | None) -> int | None:
    """Return the class that a score belongs to, the first one of a contrast; None for a custom score."""
    if isinstance(score, contrast):
        return score.a
    return score.c if isinstance(score, logit | probability) else None


def label_of(model: Model, score: Score | None) -> str:
    """Return the label of a score: that of its class, "a rather than b", or the name of a custom score."""
    if isinstance(score, contrast):
        return Message("{label} rather than {rival}", label=model.categories[score.a], rival=model.categories[score.b])
    index = class_of(score)
    if index is not None:
        return model.categories[index]
    name = str(getattr(score, "__name__", type(score).__name__))
    return Message("your own score") if name == "<lambda>" else name
