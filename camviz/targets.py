"""The target of an explanation: a class index, a label or a score, resolved for one model."""

from collections.abc import Mapping
from typing import Any, SupportsIndex

from . import scores
from .errors import CamvizError
from .messages import Message
from .models import Model
from .scores import Score, contrast, logit, probability

Target = int | str | Score | Mapping[str, Any] | None


def resolve_target(model: Model, target: Target, predicted: int) -> tuple[int | None, Score, str]:
    """Return the class index (None for a custom score), the score and the label that a target stands for."""
    if target is None:
        target = predicted
    if isinstance(target, Mapping):
        target = scores.from_data(target)
    if not callable(target):
        if not isinstance(target, str | SupportsIndex):
            raise CamvizError(
                "a target is the index of a class, its label, or a score; got {target}", target=repr(target)
            )
        index = model.class_index(target)
        return index, logit(index), model.categories[index]
    if isinstance(target, contrast):
        a, b = model.class_index(target.a), model.class_index(target.b)
        return a, target, Message("{label} rather than {rival}", label=model.categories[a], rival=model.categories[b])
    if isinstance(target, logit | probability):
        index = model.class_index(target.c)
        return index, target, model.categories[index]
    return None, target, getattr(target, "__name__", repr(target))
