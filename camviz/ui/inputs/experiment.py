"""The experiment of the sidebar: image, model, layer and class."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ...explanation.explanation import Fusion
from ...models import Model, Prediction
from ...models.geometry import Fit
from ...scores import Score, contrast, logit
from ..server import queue, singletons
from . import image_input

PREDICTED = 2000  # pictures whose classes are kept


@dataclass(frozen=True)
class Experiment:
    """The settings of the sidebar: everything but the method."""

    picture: image_input.InputImage
    model: Model
    layer: str
    fit: Fit
    fuse: Fusion = "mean"
    target: int = -1  # -1: the predicted class
    rival: int = -1  # -1: none

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """Return the five most probable classes, most probable first."""
        return predict(self.model, self.picture, self.fit)

    @property
    def score(self) -> Score:
        """Return the explained score."""
        index = self.predictions[0].index if self.target < 0 else self.target
        return logit(index) if self.rival in (-1, index) else contrast(index, self.rival)


def predict(model: Model, picture: image_input.InputImage, fit: Fit) -> tuple[Prediction, ...]:
    """Return the five most probable classes, computed once for an image."""
    # Not st.cache_data: it locks each key, and who holds that lock would wait for the turn of who waits for the lock.
    known, key = _predictions(), (model.name, model.weights, picture.digest, fit)
    if (found := known.get(key)) is None:
        with queue.compute_queue().turn(lambda _: None):
            found = known.get(key) or known.setdefault(key, model.predict(picture.image, 5, fit))
        while len(known) > PREDICTED:
            known.popitem(last=False)
    return found


@singletons.process_singleton
def _predictions() -> "OrderedDict[Hashable, tuple[Prediction, ...]]":
    return OrderedDict()
