"""Scores to explain: functions from the class scores (B, K) to one number for each sample (B,)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from operator import index
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from .errors import ScoreError, UnknownNameError, unknown
from .messages import Message

Score = Callable[[Tensor], Tensor]
Head = Callable[[Tensor], Tensor]

_head: ContextVar[Head | None] = ContextVar("head", default=None)


@contextmanager
def using_head(head: Head) -> Iterator[None]:
    """Use `head` instead of softmax to turn class scores into probabilities inside the context."""
    token = _head.set(head)
    try:
        yield
    finally:
        _head.reset(token)


def probabilities(scores: Tensor) -> Tensor:
    """Return the probabilities (B, K) of class scores (B, K), by the head of `using_head`.

    Without a head, they are the softmax of several scores, or the sigmoid of a single one.
    """
    if (head := _head.get()) is not None:
        return head(scores)
    return scores.softmax(dim=1) if scores.shape[1] > 1 else scores.sigmoid()


@dataclass(frozen=True)
class logit:
    """The score of class c, before softmax."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.c)


@dataclass(frozen=True)
class probability:
    """The probability of class c, by the head of `using_head` or by softmax; it depends on the other scores too."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(probabilities(scores), self.c)


@dataclass(frozen=True)
class contrast:
    """The score of class a minus that of class b: why a rather than b."""

    a: int
    b: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.a) - _column(scores, self.b)


@dataclass(frozen=True)
class logit_of:
    """The score of class classes[b] for sample b of a batch, before softmax."""

    classes: tuple[int, ...]

    def __call__(self, scores: Tensor) -> Tensor:
        if len(self.classes) != len(scores):
            raise ScoreError(
                "{classes} classes need as many samples; got {samples}",
                classes=len(self.classes),
                samples=len(scores),
            )
        for c in self.classes:
            _check(scores, c)
        chosen = torch.tensor(self.classes, device=scores.device)
        return scores.gather(1, chosen[:, None])[:, 0]


SCORES: dict[str, tuple[Callable[..., Score], int]] = {  # by name: the score, and its number of classes
    "logit": (logit, 1),
    "probability": (probability, 1),
    "contrast": (contrast, 2),
}


def from_data(data: Mapping[str, Any]) -> Score:
    """Return the score described by JSON data: {"logit": 3}, {"probability": 3} or {"contrast": [281, 282]}.

    Raises CamvizError for anything else.
    """
    if len(data) != 1:
        raise ScoreError(
            "a score must have one name, one of {names}; got {count} names", names=", ".join(SCORES), count=len(data)
        )
    ((name, given),) = data.items()
    if name not in SCORES:
        raise unknown(Message("score"), str(name), SCORES, "CamViz")
    make, count = SCORES[name]
    classes = list(given) if isinstance(given, list | tuple) else [given]
    if len(classes) != count or not all(type(c) is int for c in classes):
        one, several = Message("the index of a class"), Message("the indices of {count} classes", count=count)
        expected = one if count == 1 else several
        raise ScoreError(
            "the score '{name}' takes {expected}; got {given}", name=name, expected=expected, given=str(given)[:60]
        )
    return make(*classes)


def _column(scores: Tensor, c: int) -> Tensor:
    _check(scores, c)
    return scores[:, c]


def _check(scores: Tensor, c: Any) -> None:
    if isinstance(c, bool | np.bool_) or not isinstance(c, SupportsIndex) or getattr(c, "ndim", 0) != 0:
        raise ScoreError("a score needs the index of a class, a whole number; got {c}", c=repr(c)[:60])
    if not 0 <= index(c) < scores.shape[1]:
        raise UnknownNameError(
            "class {c} does not exist; this network has classes 0 to {last}", c=index(c), last=scores.shape[1] - 1
        )
