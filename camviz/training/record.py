"""The result of training a linear layer."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[import-untyped]

from ..models import Model
from .file import to_file


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with a new last layer, and its accuracy on images on which the layer was not trained.

    `labels` (n,) is the class of each image, in the order in which the images were given. `held_out` (n, K) are the
    probabilities of each image by the layer that was trained without it, in cross-validation of `folds` parts. `model`
    is trained on all images.
    """

    model: Model
    labels: NDArray[np.int64] = field(repr=False)
    held_out: NDArray[np.float64] = field(repr=False)
    folds: int
    training_accuracy: float
    seconds: float

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their index."""
        return self.model.categories

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class of each image that the layer trained without it predicts, (n,)."""
        found: NDArray[np.int64] = self.held_out.argmax(axis=1)
        return found

    @property
    def correct(self) -> int:
        """The number of held-out images that are classified correctly."""
        return int((self.predicted == self.labels).sum())

    @property
    def held_out_accuracy(self) -> float:
        """The share of held-out images that are classified correctly."""
        return self.correct / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the held-out accuracy, by Wilson's formula."""
        found = binomtest(self.correct, self.count).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The number of held-out images by their class (rows) and the predicted class (columns), (K, K)."""
        found = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(found, (self.labels, self.predicted), 1)
        return found

    def save(self, path: str | Path) -> None:
        """Write the state dict with the class names to a file that `camviz.load_model(weights=path)` reads."""
        Path(path).write_bytes(to_file(self.model))
