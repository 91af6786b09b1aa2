"""The visitor's training set: two to five classes with their images, held in memory; at first an example."""

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from PIL import Image

from ... import encode
from ...errors import CamvizError
from ...images import decode_image
from ...messages import Message
from ...training.training import FEWEST_IMAGES, MOST_CLASSES
from ..inputs import dataset_input, visitor
from ..inputs.dataset_input import DatasetImage
from ..session.language import tr

MOST = 100  # images of all classes together
MOST_BYTES = 60 * 2**20  # of the files of one upload
SHORTER_SIDE = 512  # pixels to which larger images are reduced, so that the images of a whole class fit into memory
LONGEST_NAME = 40  # characters

_SET = "training set"  # the id under which the set is held
REFUSED = "_train_refused"  # in st.session_state: files that could not be used, each with the reason
NUMBER = "_train_number"  # in st.session_state: part of the keys of the uploaders, which a new number empties

# The example: two classes of the samples, of which some are classified wrongly.
MAMMALS = ("cat", "koala", "lemurs", "moose", "panda", "polar_bear")
OTHERS = ("chameleon", "komodo_dragon", "macaw")


@dataclass(frozen=True)
class TrainingClass:
    """A class: its name and its images."""

    name: str
    images: tuple[DatasetImage, ...] = ()


@dataclass(frozen=True)
class TrainingSet:
    """The classes, in the order of their index."""

    classes: tuple[TrainingClass, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return tuple(one.name for one in self.classes)

    @property
    def images(self) -> tuple[DatasetImage, ...]:
        """Return the images of all classes, class by class."""
        return tuple(image for one in self.classes for image in one.images)

    @property
    def labels(self) -> tuple[int, ...]:
        """Return the index of the class of each image."""
        return tuple(index for index, one in enumerate(self.classes) for _ in one.images)

    @property
    def key(self) -> Hashable:
        """Return a key of the set, by content."""
        return tuple((one.name, tuple(image.digest for image in one.images)) for one in self.classes)

    def fault(self) -> Message | None:
        """Return why a model cannot be trained on this set; None if it can."""
        names = [name.lower() for name in self.names]
        if len(set(names)) < len(names):
            return Message("Two classes have the same name: give each its own.")
        for one in self.classes:
            if len(one.images) < FEWEST_IMAGES:
                return Message(
                    "The class {name} has too few images, {count}: add images until it has at least {fewest}.",
                    name=one.name,
                    count=len(one.images),
                    fewest=FEWEST_IMAGES,
                )
        return None

    def with_class(self, index: int, changed: TrainingClass) -> "TrainingSet":
        """Return the set with one class replaced."""
        return TrainingSet((*self.classes[:index], changed, *self.classes[index + 1 :]))


def example() -> TrainingSet:
    """Return the two classes of samples with which the page opens."""
    found = {image.name: image for image in dataset_input.samples()}

    def of(names: Iterable[str]) -> tuple[DatasetImage, ...]:
        return tuple(found[f"{name}.jpg"] for name in names)

    return TrainingSet((TrainingClass(tr("mammal"), of(MAMMALS)), TrainingClass(tr("reptile or bird"), of(OTHERS))))


def current() -> TrainingSet:
    """Return the visitor's training set, or the example."""
    return visitor.uploads("files").get(_SET) or example()


def is_own() -> bool:
    """Return whether the visitor has changed the example."""
    return _SET in visitor.uploads("files")


def hold(changed: TrainingSet) -> None:
    """Keep a training set for this visitor."""
    visitor.hold("files", _SET, changed, sum(len(image.data) for image in changed.images))
    st.session_state[NUMBER] = st.session_state.get(NUMBER, 0) + 1


def start_empty() -> None:
    """Replace the classes by two empty ones."""
    hold(TrainingSet(tuple(TrainingClass(tr("Class {number}", number=number)) for number in (1, 2))))


def show_example() -> None:
    """Drop the visitor's classes, so that the example is shown again."""
    visitor.remove("files", _SET)
    st.session_state[NUMBER] = st.session_state.get(NUMBER, 0) + 1


def add_class() -> None:
    """Add an empty class with an unused name."""
    now = current()
    names = {name.lower() for name in now.names}
    free = (tr("Class {number}", number=number) for number in range(len(names) + 1, 99))
    if len(now.classes) < MOST_CLASSES:
        hold(TrainingSet((*now.classes, TrainingClass(next(name for name in free if name.lower() not in names)))))


def remove_class(index: int) -> None:
    """Remove a class with its images, unless only two classes are left."""
    now = current()
    if len(now.classes) > 2:
        hold(TrainingSet(now.classes[:index] + now.classes[index + 1 :]))


def rename(index: int, name: str) -> None:
    """Rename a class; an empty name is ignored."""
    now, name = current(), " ".join(name.split())[:LONGEST_NAME]
    if name and name.isprintable():
        hold(now.with_class(index, replace(now.classes[index], name=name)))


def add(index: int, images: Iterable[DatasetImage]) -> None:
    """Add images to a class; those that are in a class already are left out, with a note."""
    now, refused = current(), list(st.session_state.get(REFUSED, ()))
    known = {image.digest: one.name for one in now.classes for image in one.images}
    added: list[DatasetImage] = []
    for image in images:
        if image.digest in known:
            refused.append((image.name, Message("this image is in the class {name} already", name=known[image.digest])))
            continue
        if len(known) >= MOST:
            refused.append(
                (image.name, Message("all classes together have {most} images at most: remove one", most=MOST))
            )
            continue
        known[image.digest] = now.classes[index].name
        added.append(image)
    st.session_state[REFUSED] = refused
    one = now.classes[index]
    hold(now.with_class(index, replace(one, images=(*one.images, *added))))


def remove(index: int, digest: str) -> None:
    """Remove an image from a class."""
    now = current()
    one = now.classes[index]
    hold(now.with_class(index, replace(one, images=tuple(image for image in one.images if image.digest != digest))))


def take_files(index: int, held: list[object]) -> None:
    """Add uploaded files, ZIP files or photos to a class; refused files are kept with the reason."""
    room = MOST - len(current().images)
    read, refused = dataset_input.read_uploads(held, room, MOST_BYTES)
    small = []
    for image in read:
        try:
            small.append(reduced(image))
        except CamvizError as error:
            refused.append((image.name, error.message))
    st.session_state[REFUSED] = refused
    add(index, small)


def reduced(image: DatasetImage) -> DatasetImage:
    """Return the image as a JPEG whose shorter side has at most 512 pixels. Raises CamvizError."""
    pixels = decode_image(image.data, image.name).pixels
    scale = min(1.0, SHORTER_SIDE / min(pixels.size))
    size = round(pixels.width * scale), round(pixels.height * scale)
    small = pixels.resize(size, Image.Resampling.LANCZOS) if scale < 1 else pixels
    data = encode.jpeg(np.asarray(small), quality=90)
    return DatasetImage(image.name, data, hashlib.sha256(data).hexdigest())
