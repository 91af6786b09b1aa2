"""What is explained: a function from the class scores (B, K) to one number for each sample (B,)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .errors import CamvizError, unknown
from .messages import Message

Score = Callable[[Tensor], Tensor]
Head = Callable[[Tensor], Tensor]

_head: ContextVar[Head | None] = ContextVar("head", default=None)


@contextmanager
def headed(head: Head) -> Iterator[None]:
    """Within, `head` makes probabilities of class scores, as the network that is explained does."""
    before = _head.set(head)
    try:
        yield
    finally:
        _head.reset(before)


def chances(scores: Tensor) -> Tensor:
    """The class scores (B, K) as probabilities, (B, K): by the head that `headed` tells, else by softmax."""
    head = _head.get()
    return scores.softmax(dim=1) if head is None else head(scores)


@dataclass(frozen=True)
class logit:
    """The network's score for class c, before softmax."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.c)


@dataclass(frozen=True)
class probability:
    """The probability of class c, after softmax, where what competes with c counts too; or as `headed` tells."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(chances(scores), self.c)


@dataclass(frozen=True)
class contrast:
    """Why class a rather than class b: the difference of their scores."""

    a: int
    b: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.a) - _column(scores, self.b)


@dataclass(frozen=True)
class logit_of:
    """For each sample of a batch the score of a class of its own, before softmax: classes[b] for sample b."""

    classes: tuple[int, ...]

    def __call__(self, scores: Tensor) -> Tensor:
        if len(self.classes) != len(scores):
            raise CamvizError(
                "{classes} classes are for as many samples; got {samples}",
                classes=len(self.classes),
                samples=len(scores),
            )
        for c in self.classes:
            _check(scores, c)
        chosen = torch.tensor(self.classes, device=scores.device)
        return scores.gather(1, chosen[:, None])[:, 0]


SCORES: dict[str, tuple[Callable[..., Score], int]] = {  # by name, and of how many classes each is
    "logit": (logit, 1),
    "probability": (probability, 1),
    "contrast": (contrast, 2),
}


def from_data(data: Mapping[str, Any]) -> Score:
    """The score that JSON can hold: {"logit": 3}, {"probability": 3} or {"contrast": [281, 282]}.

    Raises CamvizError for anything else.
    """
    if len(data) != 1:
        raise CamvizError(
            "a score has one name, one of {names}; got {count} names", names=", ".join(SCORES), count=len(data)
        )
    ((name, given),) = data.items()
    if name not in SCORES:
        raise unknown(Message("score"), str(name), SCORES, "CamViz")
    make, count = SCORES[name]
    classes = list(given) if isinstance(given, list | tuple) else [given]
    if len(classes) != count or not all(type(c) is int for c in classes):
        one, several = Message("the index of a class"), Message("the indices of {count} classes", count=count)
        expected = one if count == 1 else several
        raise CamvizError(
            "the score '{name}' takes {expected}; got {given}", name=name, expected=expected, given=str(given)[:60]
        )
    return make(*classes)


def _column(scores: Tensor, c: int) -> Tensor:
    _check(scores, c)
    return scores[:, c]


def _check(scores: Tensor, c: int) -> None:
    if not 0 <= c < scores.shape[1]:
        raise CamvizError(
            "class {c} does not exist; this network has classes 0 to {last}", c=c, last=scores.shape[1] - 1
        )
