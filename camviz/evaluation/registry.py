"""The table of metrics, filled by the decorator `metric`."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from ..errors import MetricError
from ..messages import Message
from ..registry import Entry, Table, declared, register
from ..runtime.progress import Progress, heartbeat
from ..scores import Score
from .pixel_ranking import pixel_values

Better = Literal["low", "high"]
Explain = Callable[[nn.Module, Tensor], Tensor]  # a network and images (B, 3, H, W) -> their attributions, batched
ExplainClass = Callable[[int], Tensor]  # a class -> the attribution of the subject's image for it, batched
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Subject:
    """The subject of a metric: the attribution of one image. Values that the metric does not take may be left out."""

    net: nn.Module
    x: Tensor  # (1, 3, H, W)
    score: Score
    attribution: Tensor  # raw and signed: (h, w) or (3, H, W)
    explain: Explain | None = None
    explain_class: ExplainClass | None = None
    target: int | None = None  # the class that `score` belongs to
    classes: tuple[int, ...] | None = None  # the class of each quarter of a mosaic

    @cached_property
    def heatmap(self) -> Tensor:
        """The attribution as one value for each pixel, (H, W)."""
        return pixel_values(self.attribution, (self.x.shape[-2], self.x.shape[-1]))


@dataclass(frozen=True)
class Metric(Entry):
    """A metric of METRICS. `takes` names the values of a Subject that are the arguments of its function."""

    better: Better
    cost: int
    limitation: str
    takes: tuple[str, ...] = field(repr=False)
    many_passes: bool = False

    @property
    def explains_again(self) -> bool:
        """Whether the metric computes new maps, so that it takes many times as long as the method itself."""
        return not {"explain", "explain_class"}.isdisjoint(self.takes)

    @property
    def of_mosaics(self) -> bool:
        """Whether the subject's image must be a mosaic of four."""
        return "classes" in self.takes

    def measure(self, subject: Subject, *, progress: Progress | None = None, **given: Any) -> Any:
        """Return the result for a subject; `float()` of it is the metric's value.

        Raises CamvizError if the subject lacks a value of `takes`, or a setting is wrong.
        """
        arguments = [getattr(subject, name) for name in self.takes]
        for name, value in zip(self.takes, arguments, strict=True):
            if value is None:
                raise MetricError("{metric} needs a subject with '{name}'", metric=self.title, name=name)
        with heartbeat(progress) as reported:
            extra = {"progress": reported} if self.many_passes else {}
            return self.function(*arguments, **self.settings(given), **extra)


METRICS: Table[Metric] = Table(Message("metric"))


def metric(title: str, *, better: Better, cost: int, paper: str, limitation: str) -> Callable[[Function], Function]:
    """Add the decorated function to METRICS under its own name, and return it unchanged.

    The signature is the declaration: its positional parameters are attributes of a Subject, `progress` makes it a
    metric of many passes, and the other keyword-only ones are its knobs. `better`: the direction of good values.
    `cost`: the time at the default settings, in forward passes, or in explanations if the metric computes new maps.
    `limitation`: what the value does not show; it is displayed with the value.
    """

    def add(function: Function) -> Function:
        parameters = inspect.signature(function).parameters
        entry = Metric(
            **declared(function, title, paper),
            better=better,
            cost=cost,
            limitation=limitation,
            takes=tuple(name for name, one in parameters.items() if one.kind is not one.KEYWORD_ONLY),
            many_passes="progress" in parameters,
        )
        register(METRICS, entry)
        return function

    return add
