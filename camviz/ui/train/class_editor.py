"""The classes and their images: names, uploads, samples, the camera, and thumbnails that remove an image."""

from functools import partial
from typing import Any

import streamlit as st

from ...images import decode_image
from ...training.training import FEWEST_IMAGES, MOST_CLASSES
from ..components import browser
from ..inputs import dataset_input, image_input, visitor
from ..inputs.dataset_input import DatasetImage
from ..inputs.image_input import InputImage
from ..server.store import result_store
from ..session.language import error_text, tr
from . import training_set
from .training_set import TrainingClass, TrainingSet

WIDTH = 60  # pixels of a thumbnail


def draw(now: TrainingSet) -> None:
    """Draw the classes of the training set, to be changed."""
    for file, reason in st.session_state.pop(training_set.REFUSED, ()):
        st.error(error_text(reason, file))
    for index, one in enumerate(now.classes):
        with st.container(border=True):
            _class(index, one, now)
    with st.container(horizontal=True):
        if len(now.classes) < MOST_CLASSES:
            st.button(tr("Add a class"), icon=":material/add:", key="train_add", on_click=training_set.add_class)
        st.button(
            tr("Start with empty classes"),
            key="train_anew",
            on_click=training_set.start_empty,
            help=tr("Removes all classes and their images, for classes of your own."),
        )
        if training_set.is_own():
            st.button(tr("Show the example"), key="train_example", on_click=training_set.show_example)


def thumbnail(image: DatasetImage) -> bytes:
    """Return a square JPEG of 96 pixels."""
    return result_store().once(
        ("thumbnail", image.digest),
        lambda: image_input.thumbnail(InputImage("", decode_image(image.data, image.name))),
    )


def _class(index: int, one: TrainingClass, now: TrainingSet) -> None:
    key = f"train_name{index}"
    st.session_state[key] = one.name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            tr("Name of class {number}", number=index + 1),
            key=key,
            max_chars=training_set.LONGEST_NAME,
            on_change=lambda: training_set.rename(index, st.session_state[key]),
            help=tr("What the images of this class show; the model answers with this name."),
        )
        with st.popover(tr("Add images"), icon=":material/add_photo_alternate:", key=f"train_more{index}"):
            _add(index, now)
    st.caption(
        tr("Images: {count}. Click one to remove it.", count=len(one.images))
        if one.images
        else tr("No images yet: add at least {fewest}.", fewest=FEWEST_IMAGES)
    )
    if one.images:
        browser.tiles(
            tr("Images of {label}", label=one.name),
            [(image.digest, tr("Remove {image}", image=image.name), "", thumbnail(image)) for image in one.images],
            "",
            partial(training_set.remove, index),
            WIDTH,
            key=f"train_images{index}",
        )


def _add(index: int, now: TrainingSet) -> None:
    number = st.session_state.get(training_set.NUMBER, 0)
    upload, samples, photo = (f"train_{kind}{index}.{number}" for kind in ("upload", "samples", "photo"))
    st.file_uploader(
        tr("Images, or ZIP files of them"),
        type=[*image_input.FORMATS, "zip"],
        accept_multiple_files=True,
        key=upload,
        max_upload_size=image_input.upload_limit(training_set.MOST_BYTES // 2**20),
        on_change=lambda: training_set.take_files(index, _held(upload)),
        help=tr("At most {most} images in all classes together.", most=training_set.MOST)
        + f" {visitor.storage_text()}",
    )
    used = {image.digest for image in now.images}
    free = {image.name: image for image in dataset_input.samples() if image.digest not in used}
    st.multiselect(
        tr("Samples"),
        free,
        key=samples,
        placeholder=tr("Choose options"),
        on_change=lambda: training_set.add(index, [free[name] for name in st.session_state[samples] if name in free]),
        help=tr("Images that come with CamViz and are in no class yet."),
    )
    if image_input.is_camera_allowed() and st.toggle(
        tr("Turn on the camera"),
        key=f"train_camera{index}",
        help=tr("Each photo is added to this class."),
    ):
        st.camera_input(
            tr("Camera"),
            key=photo,
            on_change=lambda: training_set.take_files(index, _held(photo)),
            label_visibility="collapsed",
        )
    if len(now.classes) > 2:
        st.button(
            tr("Remove this class"),
            icon=":material/delete:",
            key=f"train_remove{index}",
            on_click=training_set.remove_class,
            args=(index,),
        )


def _held(key: str) -> list[Any]:
    held = st.session_state.get(key)
    return held if isinstance(held, list) else [held] if held else []
