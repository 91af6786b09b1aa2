"""Training runs: the latest one and the one before it, and their models among those of the visitor."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from ...models import Model
from ...training.head import head_features
from ...training.record import Trained
from ...training.training import train_on_features
from ..inputs import model_input, visitor
from ..inputs.dataset_input import DatasetImage
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session.language import tr
from .training_set import TrainingSet

_RUNS = "training runs"  # the id under which the runs are held
OVERHEAD = 0.5  # seconds of a training besides the features


@dataclass(frozen=True)
class Run:
    """One training: its number, the training set, the network whose features were used, and the result."""

    number: int
    given: TrainingSet
    base: Model
    trained: Trained

    @property
    def images(self) -> tuple[DatasetImage, ...]:
        """Return the images of the training set."""
        return self.given.images

    @property
    def key(self) -> Hashable:
        """Return the cache key, by content."""
        return run_key(self.given, self.base)

    @property
    def is_kept(self) -> bool:
        """Return whether its model is among those of the visitor; the example's is not, until it is opened."""
        return self.number > 0

    def open(self) -> str:
        """Add the model to those of the visitor, and return its name there."""
        return model_input.hold_trained(self.trained.model)


def run_key(given: TrainingSet, base: Model) -> Hashable:
    """Return the cache key of a training, by content."""
    return "training", given.key, base.key


def kept() -> tuple[Run, ...]:
    """Return the visitor's last two runs, the latest one last."""
    found: tuple[Run, ...] = visitor.uploads("files").get(_RUNS, ())
    return found


def example_run(given: TrainingSet, base: Model) -> Run | None:
    """Return the training of the example, computed once for all visitors. None: it waits for a click."""
    return tasks.run(
        "example_training",
        run_key(given, base),
        _seconds(given, base),
        tr("Train the example"),
        lambda report: _train(given, base, 0, report),
        kind="primary",
    )


def train_button(given: TrainingSet, base: Model, before: Run | None) -> None:
    """Draw the button that trains; after the training the page runs again with the new run."""
    number = before.number + 1 if before else 1
    run = tasks.run(
        "train",
        ("own training", run_key(given, base)),
        _seconds(given, base),
        tr("Train the model") if before is None else tr("Train the model again"),
        lambda report: _train(given, base, number, report),
        ask="always",
        kind="primary",
        keep=False,
    )
    if run is not None:
        runs = (before, run) if before else (run,)
        visitor.hold("files", _RUNS, runs, sum(len(image.data) for one in runs for image in one.images))
        run.open()
        st.rerun()


def _train(given: TrainingSet, base: Model, number: int, report: ReportProgress) -> Run:
    found = {image.digest: result_store().get(_key(image, base)) for image in given.images}
    missing = [image for image in given.images if found[image.digest] is None]
    with in_queue(report) as progress:
        if missing:
            features = head_features(base, [image.data for image in missing], progress=progress)
            for image, one in zip(missing, features, strict=True):
                found[image.digest] = result_store().put(_key(image, base), one)
        trained = train_on_features(
            base,
            given.names,
            np.stack([found[image.digest] for image in given.images]),
            np.array(given.labels),
        )
    title = model_input.own_title(" - ".join(given.names) + (f" {number}" if number else ""))
    return Run(number, given, base, replace(trained, model=replace(trained.model, name=title, title=title)))


def _key(image: DatasetImage, base: Model) -> Hashable:
    return "head features", image.digest, base.key


def _seconds(given: TrainingSet, base: Model) -> float:
    missing = sum(result_store().get(_key(image, base)) is None for image in given.images)
    return OVERHEAD + missing * cost.seconds_per_pass(base)
