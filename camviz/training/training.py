"""train_head: train a classifier of your own classes from a few images of each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CamvizError, ClassNamesError
from ..images import DecodedImage, ImageSource, decode_image
from ..messages import Message
from ..models import Model
from ..models.class_names import read_class_names
from ..models.geometry import Fit, check_fit
from ..runtime.progress import Progress, check_progress
from ..runtime.rng import Rng
from . import logistic_regression
from .head import head_features, with_classes
from .record import Trained

MOST_CLASSES = 5
FEWEST_IMAGES = 3  # of a class
MOST_IMAGES = 500  # of all classes together
FOLDS = 5


def train_head(
    model: Model,
    images_by_class: Mapping[str, Sequence[ImageSource]],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    fit: Fit = "crop",
    name: str | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a new last layer for your own classes on the features of a network, which does not change.

    `images_by_class`: two to five class names, each with at least three images, 500 in total. The features of an image
    are the input of the last linear layer of `model`; the new layer is a logistic regression on them. Its accuracy is
    measured by cross-validation: the images are divided into `folds` parts, fewer if a class has fewer images, and each
    part is classified by a layer that was trained on the others. `seed` determines the parts. `name`: of the new model.
    `progress(done, total)` is called after each batch. Raises CamvizError for invalid input.
    """
    check_progress(progress)
    names, images, labels = _checked(images_by_class)
    if not isinstance(model, Model):
        raise CamvizError("train_head takes a Model, as camviz.load_model returns it; got {kind}", kind=_kind(model))
    if not isinstance(folds, int) or isinstance(folds, bool) or folds < 2:
        raise CamvizError("the number of folds must be a whole number, at least 2; got {folds}", folds=repr(folds)[:60])
    started = time.perf_counter()
    features = head_features(model, images, check_fit(fit), progress)
    found = train_on_features(model, names, features, labels, folds=folds, seed=seed, name=name)
    return replace(found, seconds=time.perf_counter() - started)


def train_on_features(
    model: Model,
    names: tuple[str, ...],
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    *,
    folds: int = FOLDS,
    seed: int = 0,
    name: str | None = None,
) -> Trained:
    """Train like `train_head`, on the features (n, d) of `head_features`."""
    started = time.perf_counter()
    exact, classes = features.astype(np.float64), len(names)
    parts = _parts(labels, min(folds, int(np.bincount(labels).min())), seed)
    held_out = np.empty((len(labels), classes))
    for part in range(parts.max() + 1):
        inside = parts == part
        layer = logistic_regression.fit(exact[~inside], labels[~inside], classes)
        held_out[inside] = layer.probabilities(exact[inside])
    layer = logistic_regression.fit(exact, labels, classes)
    weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
    title = name or Message("{classes} ({network})", classes=", ".join(names)[:60], network=model.name)
    trained = with_classes(model, names, weight, bias, title)
    return Trained(
        trained,
        labels,
        held_out,
        int(parts.max()) + 1,
        float((layer.probabilities(exact).argmax(axis=1) == labels).mean()),
        time.perf_counter() - started,
    )


def _checked(
    given: Mapping[str, Sequence[ImageSource]],
) -> tuple[tuple[str, ...], list[DecodedImage], NDArray[np.int64]]:
    """Return class names, images and the class index of each image. Raises CamvizError."""
    if not isinstance(given, Mapping) or not 2 <= len(given) <= MOST_CLASSES:
        raise CamvizError(
            "images_by_class must have 2 to {most} classes, each name with a list of images; got {given}",
            most=MOST_CLASSES,
            given=len(given) if isinstance(given, Mapping) else _kind(given),
        )
    names = read_class_names(tuple(given))
    if len({name.lower() for name in names}) < len(names):
        raise ClassNamesError("two classes have the same name: rename one of them")
    images: list[DecodedImage] = []
    labels: list[int] = []
    seen: dict[str, str] = {}
    for label, (name, some) in enumerate(zip(names, given.values(), strict=True)):
        if not isinstance(some, list | tuple) or len(some) < FEWEST_IMAGES:
            raise CamvizError(
                "the class '{name}' needs a list of at least {fewest} images; got {given}",
                name=name,
                fewest=FEWEST_IMAGES,
                given=len(some) if isinstance(some, list | tuple) else _kind(some),
            )
        if len(images) + len(some) > MOST_IMAGES:
            raise CamvizError(
                "at most {most} images can be used for training: give fewer of each class", most=MOST_IMAGES
            )
        for one in map(decode_image, some):
            if one.digest in seen:
                raise CamvizError(
                    "an image of the class '{name}' is in the class '{other}' already: give each image once, because "
                    "an image of the training set cannot measure the accuracy",
                    name=name,
                    other=seen[one.digest],
                )
            seen[one.digest] = name
            images.append(one)
            labels.append(label)
    return names, images, np.array(labels)


def _parts(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return the part of each image (n,): random, each class spread evenly over all parts."""
    rng, parts, start = Rng(seed), np.empty(len(labels), np.int64), 0
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        parts[places[rng.permutation(len(places)).numpy()]] = (start + np.arange(len(places))) % count
        start += len(places)  # so that all parts have about the same number of images
    return parts


def _kind(value: object) -> str:
    return type(value).__name__
