"""What is explained: a function from the class scores (B, K) to one number for each sample (B,)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .errors import CamvizError

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class logit:
    """The network's score for class c, before softmax."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.c)


@dataclass(frozen=True)
class probability:
    """The probability of class c, after softmax: what competes with c counts too."""

    c: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores.softmax(dim=1), self.c)


@dataclass(frozen=True)
class contrast:
    """Why class a rather than class b: the difference of their scores."""

    a: int
    b: int

    def __call__(self, scores: Tensor) -> Tensor:
        return _column(scores, self.a) - _column(scores, self.b)


def _column(scores: Tensor, c: int) -> Tensor:
    if not 0 <= c < scores.shape[1]:
        raise CamvizError(f"class {c} does not exist; this network has classes 0 to {scores.shape[1] - 1}")
    return scores[:, c]
