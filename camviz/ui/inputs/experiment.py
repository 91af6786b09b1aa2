"""The experiment: image, model, layers and class."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import in_memory
from ...explanation.explain import layers_for
from ...explanation.question import Fusion, Question
from ...images import DecodedImage
from ...models import Model, Prediction
from ...models.geometry import Fit
from ...registry import Method
from ...scores import Score, contrast, logit
from ..server.forward_batches import forward_batches
from ..server.kept_passes import reusing
from ..server.queue import compute_queue
from ..server.store import result_store
from .image_input import InputImage

Ranking = tuple[NDArray[np.int64], NDArray[np.float64]]  # all classes, most probable first, and their answers


@dataclass(frozen=True)
class Experiment:
    """All choices of the visitor except the method."""

    image: InputImage
    model: Model
    layers: tuple[str, ...]
    fit: Fit
    fusion: Fusion = "mean"
    target: int = -1  # -1: the predicted class
    rival: int = -1  # -1: none

    @property
    def layer(self) -> str:
        """Return the first chosen layer, or "" if the model has none."""
        return next(iter(self.layers), "")

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """Return the five most probable classes, most probable first."""
        return predict(self.model, self.image.decoded, self.fit)

    @property
    def answers(self) -> NDArray[np.float64]:
        """Return the answers of the model for all classes, (K,)."""
        classes, answers = _ranking(self.model, self.image.decoded, self.fit)
        found = np.empty_like(answers)
        found[classes] = answers
        return found

    def prediction(self, index: int) -> Prediction:
        """Return the prediction of any class."""
        return self.model.prediction(index, float(self.answers[index]))

    @property
    def score(self) -> Score:
        """Return the explained score."""
        index = self.explained_class
        return logit(index) if self.rival in (-1, index) else contrast(index, self.rival)

    @property
    def explained_class(self) -> int:
        """Return the explained class, the first one of a contrast."""
        return self.predictions[0].index if self.target < 0 else self.target

    @property
    def view(self) -> NDArray[np.uint8]:
        """Return the image as the model sees it, RGB (H, W, 3)."""
        return self.model.view(self.image.decoded, self.fit)

    @property
    def x(self) -> Tensor:
        """Return the model's input, (1, C, H, W)."""
        return self.model.normalize(self.view)

    @property
    def key(self) -> tuple[Any, ...]:
        """Return, by content, everything that decides how the model sees this image."""
        return self.image.digest, self.fit, self.model.key

    def question(self, method: Method, settings: Mapping[str, Any] | None = None) -> Question:
        """Return the question that this experiment asks by a method; its default settings if none are given.

        Raises CamvizError if the model lacks what the method needs.
        """
        return Question(
            model=self.model,
            image=self.image.decoded,
            method=method,
            settings=method.settings({}) if settings is None else settings,
            layers=layers_for(self.model, method, self.layers or None),
            score=self.score,
            fit=self.fit,
            fusion=self.fusion,
        )


def predict(model: Model, image: DecodedImage, fit: Fit, *, map_follows: bool = True) -> tuple[Prediction, ...]:
    """Return the five most probable classes, most probable first.

    `map_follows`: a heatmap at the default layer is likely to follow. Then the image gets a forward pass alone, kept
    for that heatmap (see `reusing`). Otherwise it shares a batch with the requests of other visitors.
    """
    classes, answers = _ranking(model, image, fit, map_follows)
    best = zip(classes[:5].tolist(), answers[:5].tolist(), strict=True)
    return tuple(model.prediction(index, answer) for index, answer in best)


def _ranking(model: Model, image: DecodedImage, fit: Fit, map_follows: bool = True) -> Ranking:
    """Return all classes, most probable first, and the answers of the model for them, (K,) each; computed once."""
    key = ("ranking", image.digest, fit, model.key)
    found: Ranking | None = result_store().get(key)
    if found is not None:
        return found
    if map_follows:
        with compute_queue().turn(lambda _: None):
            return result_store().once(key, lambda: _rank(model, image, fit))
    with result_store().claim(key, lambda _: None):
        return result_store().once(key, lambda: _rank_in_batch(model, image, fit))


def _rank(model: Model, image: DecodedImage, fit: Fit) -> Ranking:
    with reusing(model):
        ranked = model.predict(image, len(model.categories), fit)
    answers = [one.value if isnan(one.probability) else one.probability for one in ranked]
    return np.array([one.index for one in ranked]), np.array(answers)


def _rank_in_batch(model: Model, image: DecodedImage, fit: Fit) -> Ranking:
    with in_memory():
        scores = forward_batches().scores(model, model.normalize(model.view(image, fit)))
    with torch.no_grad():
        ranked = model.probabilities(scores)[0].sort(descending=True, stable=True)
    return ranked.indices.cpu().numpy(), ranked.values.double().cpu().numpy()
