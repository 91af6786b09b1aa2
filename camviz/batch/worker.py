"""Explain and measure a few images at a time, as a job says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CamvizError
from ..explanation.explain import answer, answer_batch, ask
from ..explanation.explanation import Explanation
from ..explanation.question import Question
from ..images import DecodedImage, decode_image
from ..measurement import measure
from ..messages import Message
from ..models import Model, Prediction
from ..registry import METHODS, Method
from ..scores import logit
from ..tape import forward
from .job import Job

Heartbeat = Callable[[], None]


@dataclass(frozen=True)
class Item:
    """An image to be explained: its name, its file or its content, and the methods that are still to be computed."""

    name: str
    source: Path | bytes
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The outcome of one method on one image: the explanation and its metrics, or the error message."""

    name: str
    method: str
    digest: str = ""
    predicted: Prediction | None = None
    explanation: Explanation | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class ReadImage:
    """An item with its decoded image."""

    item: Item
    image: DecodedImage


class Worker:
    """Runs a job on images, with the job's model or the given one. `read` may run in another thread than `explain`."""

    def __init__(self, job: Job, model: Model | None = None) -> None:
        self.job = job
        self.model = model or job.load()
        self.target = job.target_of(self.model)

    def read(self, items: Sequence[Item]) -> list[ReadImage | Outcome]:
        """Decode the images and fit them to the input size; return outcomes with the error for those that fail."""
        found: list[ReadImage | Outcome] = []
        for item in items:
            try:
                image = decode_image(item.source, item.name)
                _ = self.model.view(image, self.job.fit), image.digest  # cached now, while another thread explains
                found.append(ReadImage(item, image))
            except CamvizError as error:
                found += [Outcome(item.name, method, error=error.message) for method in item.methods]
        return found

    def explain(self, images: Sequence[ReadImage | Outcome], heartbeat: Heartbeat = lambda: None) -> list[Outcome]:
        """Run the methods of every image; `heartbeat` is called regularly inside methods of many passes."""
        read = [one for one in images if isinstance(one, ReadImage)]
        predicted: dict[str, Prediction] = {}
        results: list[tuple[ReadImage, str, Explanation | CamvizError]] = []
        for key in self.job.methods:
            waiting = [one for one in read if key in one.item.methods]
            explained = self._explain_by(METHODS[key], waiting, predicted, heartbeat)
            results += [(one, key, result) for one, result in explained]
        faults = self._predict([one for one in read if one.item.name not in predicted], predicted)
        outcomes = [one for one in images if isinstance(one, Outcome)]
        for one, key, result in results:
            about = partial(Outcome, one.item.name, key, one.image.digest, predicted.get(one.item.name))
            if isinstance(result, CamvizError) or one.item.name in faults:
                error = result if isinstance(result, CamvizError) else faults[one.item.name]
                outcomes.append(about(error=error.message))
            else:
                numbers, notes = self._measure(result, predicted[one.item.name], heartbeat)
                outcomes.append(about(result, numbers, (*result.notes, *notes)))
        return outcomes

    def _question(self, image: DecodedImage, method: Method) -> Question:
        job = self.job
        settings = job.knobs.get(method.key, {})
        return ask(self.model, image, method, self.target, job.layer, fit=job.fit, fuse=job.fuse, **settings)

    def _explain_by(
        self, method: Method, waiting: Sequence[ReadImage], predicted: dict[str, Prediction], heartbeat: Heartbeat
    ) -> list[tuple[ReadImage, Explanation | CamvizError]]:
        """Return the explanations by one method, of all images in one batch if it needs only a few passes."""
        if not waiting:
            return []
        try:
            questions = [self._question(one.image, method) for one in waiting]
            if not method.many_passes:
                found, scores = answer_batch(questions)
                self._remember(waiting, scores, predicted)
                return list(zip(waiting, found, strict=True))
        except CamvizError as error:
            if len(waiting) == 1:
                return [(waiting[0], error)]
            return [result for one in waiting for result in self._explain_by(method, [one], predicted, heartbeat)]
        alone: list[tuple[ReadImage, Explanation | CamvizError]] = []
        for one, question in zip(waiting, questions, strict=True):
            try:
                alone.append((one, answer(question, lambda *_: heartbeat())))
            except CamvizError as error:
                alone.append((one, error))
        return alone

    def _predict(self, left: Sequence[ReadImage], predicted: dict[str, Prediction]) -> dict[str, CamvizError]:
        """Keep the predicted classes of images that no method has run on; return the errors of the others by name."""
        inputs = [self.model.normalize(self.model.view(one.image, self.job.fit)) for one in left]
        same_size = len({x.shape for x in inputs}) == 1
        try:
            with self.model.running(), torch.no_grad():
                found = [forward(self.model.net, x) for x in ([torch.cat(inputs)] if same_size else inputs)]
        except CamvizError as error:
            if len(left) == 1:
                return {left[0].item.name: error}
            return {name: fault for one in left for name, fault in self._predict([one], predicted).items()}
        if found:
            self._remember(left, torch.cat(found), predicted)
        return {}

    def _remember(self, read: Sequence[ReadImage], scores: Tensor, predicted: dict[str, Prediction]) -> None:
        """Keep the predicted classes of class scores (B, K)."""
        best = self.model.probabilities(scores).max(dim=1)
        for one, probability, index in zip(read, best.values.tolist(), best.indices.tolist(), strict=True):
            predicted[one.item.name] = self.model.prediction(index, probability)

    def _measure(
        self, e: Explanation, predicted: Prediction, heartbeat: Heartbeat
    ) -> tuple[dict[str, float], tuple[str, ...]]:
        """Return the numbers of the job's metrics, and a note for each that is undefined."""
        numbers: dict[str, float] = {}
        notes: list[str] = []
        if e.target is None:
            e = replace(e, question=replace(e.question, score=logit(predicted.index)))
        for metric in self.job.metric_entries:
            given = self.job.knobs.get(metric.key, {})
            try:
                numbers[metric.key] = float(measure(e, metric, progress=lambda *_: heartbeat(), **given))
            except CamvizError as error:
                notes.append(Message("{metric}: {error}.", metric=metric.title, error=error.message))
        return numbers, tuple(notes)
