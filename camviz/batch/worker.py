"""The work itself: pictures in, explanations with their metrics out, a few pictures at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from .. import images
from ..errors import CamvizError
from ..evaluation.registry import Subject
from ..explanation.explain import explain, explain_batch, fuse_maps
from ..explanation.explanation import Explanation
from ..messages import Message
from ..models import Model, Prediction
from ..registry import METHODS, Method
from ..scores import Score, contrast, headed, logit, probability
from ..tape import forward
from .job import Order

Beat = Callable[[], None]

SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Item:
    """A picture that waits: its name, where it comes from, and the methods that are still to be computed."""

    name: str
    source: Path | bytes
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one picture by one method: the explanation and its metrics, or the error why there is none."""

    name: str
    method: str
    digest: str = ""
    predicted: Prediction | None = None
    explanation: Explanation | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Seen:
    """A picture that was read: itself, what the network sees of it, and its digest."""

    item: Item
    image: Image.Image
    view: NDArray[np.uint8]
    digest: str


class Worker:
    """Does what is ordered, by the order's network or by the one given; `look` may run in a thread of its own."""

    def __init__(self, order: Order, model: Model | None = None) -> None:
        self.order = order
        self.model = model or order.load()
        self.target = order.explained(self.model)

    def look(self, items: Sequence[Item]) -> list[Seen | Outcome]:
        """The pictures read and brought to the network's size; an outcome for each method of those that are broken."""
        looked: list[Seen | Outcome] = []
        for item in items:
            try:
                image = images.decode(item.source)
                looked.append(Seen(item, image, self.model.view(image, self.order.fit), images.digest(image)))
            except CamvizError as error:
                looked += [Outcome(item.name, method, error=error.message) for method in item.methods]
        return looked

    def explain(self, looked: Sequence[Seen | Outcome], beat: Beat = lambda: None) -> list[Outcome]:
        """Every method on every picture that waits for it; `beat` is called within methods of many passes."""
        seen = [one for one in looked if isinstance(one, Seen)]
        predicted: dict[str, Prediction] = {}
        results: list[tuple[Seen, str, Explanation | CamvizError]] = []
        for key in self.order.methods:
            waiting = [one for one in seen if key in one.item.methods]
            results += [(one, key, result) for one, result in self._by(METHODS[key], waiting, predicted, beat)]
        if left := [one for one in seen if one.item.name not in predicted]:
            with torch.no_grad():
                self._remember(left, forward(self.model.net, self._input(left)), predicted)
        outcomes = [one for one in looked if isinstance(one, Outcome)]
        for one, key, result in results:
            about = partial(Outcome, one.item.name, key, one.digest, predicted[one.item.name])
            if isinstance(result, CamvizError):
                outcomes.append(about(error=result.message))
            else:
                numbers, notes = self._measure(one, result, predicted[one.item.name], beat)
                outcomes.append(about(result, numbers, (*result.notes, *notes)))
        return outcomes

    def _by(
        self, method: Method, waiting: Sequence[Seen], predicted: dict[str, Prediction], beat: Beat
    ) -> list[tuple[Seen, Explanation | CamvizError]]:
        """One method's explanations, of all pictures at once where it needs only a few passes."""
        settings: dict[str, Any] = {"fit": self.order.fit, "fuse": self.order.fuse}
        settings |= self.order.knobs.get(method.key, {})
        choice = method.key, self.target, self.order.layer
        if waiting and not method.many_passes:
            views, digests = [one.view for one in waiting], [one.digest for one in waiting]
            try:
                found, scores = explain_batch(self.model, views, digests, *choice, **settings)
            except CamvizError as error:
                return [(one, error) for one in waiting]
            self._remember(waiting, scores, predicted)
            return list(zip(waiting, found, strict=True))
        alone: list[tuple[Seen, Explanation | CamvizError]] = []
        for one in waiting:
            try:
                alone.append((one, explain(self.model, one.image, *choice, progress=lambda *_: beat(), **settings)))
            except CamvizError as error:
                alone.append((one, error))
        return alone

    def _remember(self, seen: Sequence[Seen], scores: Tensor, predicted: dict[str, Prediction]) -> None:
        """The predicted classes, out of class scores (B, K)."""
        best = self.model.probabilities(scores).max(dim=1)
        for one, chance, index in zip(seen, best.values.tolist(), best.indices.tolist(), strict=True):
            predicted[one.item.name] = Prediction(index, self.model.categories[index], chance)

    def _input(self, seen: Sequence[Seen]) -> Tensor:
        return torch.cat([self.model.normalize(one.view) for one in seen])

    def _measure(
        self, one: Seen, e: Explanation, predicted: Prediction, beat: Beat
    ) -> tuple[dict[str, float], tuple[str, ...]]:
        """The ordered metrics' numbers, and why some have none."""
        index = predicted.index if e.target is None else e.target
        score = self.target if isinstance(self.target, contrast) else logit(index)
        again, x = partial(self._attribution, e, beat), self._input([one])
        subject = Subject(
            net=self.model.net,
            x=x,
            score=probability(index),  # as on the page
            attribution=torch.from_numpy(e.attribution).to(x),
            explain=lambda net, x: again(net, x, score),
            explain_class=lambda c: again(self.model.net, x, logit(c)),
            target=index,
        )
        numbers: dict[str, float] = {}
        notes: list[str] = []
        for metric in self.order.measures:
            given = self.order.knobs.get(metric.key, {})
            try:
                with headed(self.model.probabilities):
                    numbers[metric.key] = float(metric.measure(subject, progress=lambda *_: beat(), **given))
            except CamvizError as error:
                notes.append(Message("{metric}: {error}.", metric=metric.title, error=error.message))
        return numbers, tuple(notes)

    def _attribution(self, e: Explanation, beat: Beat, net: nn.Module, x: Tensor, score: Score) -> Tensor:
        """What the method of an explanation makes of any pictures on any such network, layers fused."""
        method = METHODS[e.method]
        heard = {"progress": lambda *_: beat()} if method.many_passes else {}
        layers = [[net.get_submodule(name)] for name in (e.layer or "").split(",") if name]
        maps = [method(net, x, score, *layer, **e.knobs, **heard).detach() for layer in layers or [[]]]
        return maps[0] if len(maps) == 1 else fuse_maps(maps, self.order.fuse)
