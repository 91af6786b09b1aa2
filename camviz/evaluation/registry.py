"""The table of metrics: `@metric` fills it; the page, the league table and the tests iterate it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from ..errors import CamvizError, unknown
from ..messages import Message
from ..registry import Knob, knobs_of
from ..runtime.progress import Progress, heartbeat
from ..scores import Score
from .pixel_ranking import pixel_values

Better = Literal["low", "high"]
Explain = Callable[[nn.Module, Tensor], Tensor]  # a network and pictures (B, 3, H, W) -> their attributions, batched
ExplainClass = Callable[[int], Tensor]  # a class -> the attribution of the subject's picture for it, batched
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Subject:
    """One map of one picture, with all that a metric may want to know about it; what none asks for may be left out."""

    net: nn.Module
    x: Tensor  # (1, 3, H, W)
    score: Score
    attribution: Tensor  # raw and signed: (h, w) or (3, H, W)
    explain: Explain | None = None
    explain_class: ExplainClass | None = None
    target: int | None = None  # the class that `score` belongs to
    classes: tuple[int, ...] | None = None  # of a mosaic: the class of each quarter

    @cached_property
    def heat(self) -> Tensor:
        """What the attribution marks, (H, W) at the size of the picture."""
        return pixel_values(self.attribution, (self.x.shape[-2], self.x.shape[-1]))


@dataclass(frozen=True)
class Metric:
    """What the page and the tests know of a metric; callable as the bare function."""

    key: str
    title: str
    better: Better
    cost: int
    paper: str
    limitation: str
    function: Callable[..., Any] = field(repr=False)
    takes: tuple[str, ...] = field(repr=False)
    knobs: Mapping[str, Knob] = field(repr=False)
    many_passes: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def tooltip(self) -> str:
        """The first line of the docstring."""
        return self.doc.partition("\n")[0]

    @property
    def doc(self) -> str:
        """The whole docstring: formula and symbols."""
        return inspect.getdoc(self.function) or ""

    @property
    def explains_again(self) -> bool:
        """Whether it computes the map anew, many times, so that it costs many times what the method costs."""
        return not {"explain", "explain_class"}.isdisjoint(self.takes)

    @property
    def of_mosaics(self) -> bool:
        """Whether its picture is a mosaic of four."""
        return "classes" in self.takes

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every knob's value: the given ones checked, the others at their default."""
        for name in given:
            if name not in self.knobs:
                raise unknown(Message("setting"), name, self.knobs, Message("the settings of {owner}", owner=self.key))
        return {name: knob.check(given.get(name, knob.default), self.key) for name, knob in self.knobs.items()}

    def measure(self, subject: Subject, *, progress: Progress | None = None, **given: Any) -> Any:
        """The result for a subject; `float()` of it is the metric's number. Raises CamvizError."""
        arguments = [getattr(subject, name) for name in self.takes]
        for name, value in zip(self.takes, arguments, strict=True):
            if value is None:
                raise CamvizError(
                    "{metric} needs to be told '{name}' of what it measures", metric=self.title, name=name
                )
        with heartbeat(progress) as told:
            extra = {"progress": told} if self.many_passes else {}
            return self.function(*arguments, **self.settings(given), **extra)


METRICS: dict[str, Metric] = {}


def metric(title: str, *, better: Better, cost: int, paper: str, limitation: str) -> Callable[[Function], Function]:
    """Add the decorated function to METRICS under its own name, and return it unchanged.

    The signature is the declaration: its positional parameters are attributes of a Subject, `progress` makes it one
    of many passes, and the other keyword-only ones are its knobs. `better` says which way is good; `cost` is the time
    that the default settings take, in forward passes, or in explanations where it explains again; `limitation` is the
    sentence of what the number does not tell, which stands beside it wherever it is shown.
    """

    def add(function: Function) -> Function:
        key = function.__name__
        if key in METRICS and METRICS[key].function.__module__ != function.__module__:
            raise CamvizError("two metrics are called '{key}'", key=key)
        parameters = inspect.signature(function).parameters
        METRICS[key] = Metric(
            key=key,
            title=Message(title),
            better=better,
            cost=cost,
            paper=paper,
            limitation=limitation,
            function=function,
            takes=tuple(name for name, one in parameters.items() if one.kind is not one.KEYWORD_ONLY),
            knobs=knobs_of(function),
            many_passes="progress" in parameters,
        )
        return function

    return add
