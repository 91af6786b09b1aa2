"""The images of the page Dataset: the samples, or uploaded images and ZIP files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from ...batch.archive import images_in_zip
from ...errors import CamvizError, FilesError
from ...images import decode_image
from ...runtime.installation import SAMPLES
from ..session.language import error_text, tr
from . import image_input, visitor

MOST = 60  # images
MOST_BYTES = 60 * 2**20  # of all of them together, packed as they came

_DATASET = "dataset"  # the id under which a visitor's files are held together


@dataclass(frozen=True)
class DatasetImage:
    """An image file: a name that is unique in the dataset, its bytes and their digest."""

    name: str
    data: bytes = field(repr=False)
    digest: str

    def input_image(self) -> image_input.InputImage:
        """Return the decoded image. Raises CamvizError if it is damaged."""
        return image_input.InputImage(f"sha:{self.digest[:12]}", decode_image(self.data, self.name))

    def open(self) -> None:
        """Select the image on all pages. Raises CamvizError if it is damaged."""
        image_input.choose(image_input.add_upload(self.name, self.data, self.digest))


def dataset_images() -> list[DatasetImage]:
    """Return the images of the dataset."""
    return uploaded_images() or _samples()


def uploaded_images() -> list[DatasetImage]:
    """Return the images that the visitor has uploaded to the dataset."""
    return list(visitor.uploads("files").get(_DATASET, ()))


def uploader() -> None:
    """Draw the uploader for files or a ZIP of them; they replace the earlier ones."""
    st.file_uploader(
        tr(
            "Your own images, or a ZIP file of them: at most {most}, {size} MB in total",
            most=MOST,
            size=MOST_BYTES // 2**20,
        ),
        type=[*image_input.FORMATS, "zip"],
        accept_multiple_files=True,
        key="album_upload",
        max_upload_size=image_input.upload_limit(MOST_BYTES // 2**20),
        on_change=_take,
        help=visitor.storage_text(),
    )
    for file, error in st.session_state.get("album_refused", ()):
        st.error(error_text(error, file))
    if uploaded_images() and not st.session_state.get("album_upload"):  # else each file has a button in the uploader
        st.button(tr("Remove your images"), icon=":material/delete:", key="remove_album", on_click=hold, args=([],))


def hold(images: list[DatasetImage]) -> None:
    """Replace the visitor's files, and remove images that were opened from earlier files."""
    if images:
        visitor.hold("files", _DATASET, images, sum(len(image.data) for image in images))
    else:
        visitor.remove("files", _DATASET)
    image_input.remove_opened({image.digest for image in images})


def read_uploads(held: Sequence[Any], most: int, most_bytes: int) -> tuple[list[DatasetImage], list[tuple[str, str]]]:
    """Return the images of uploaded files and ZIP files, and the refused files, each with the reason.

    There are at most `most` images, of `most_bytes` in total; they are not decoded yet.
    """
    taken: dict[str, bytes] = {}
    refused: list[tuple[str, str]] = []
    for file in held:
        try:
            left = most_bytes - sum(map(len, taken.values()))
            found = _files(file.name, file.getvalue(), most, left, most_bytes)
            if len(taken) + len(found) > most:
                count = len(taken) + len(found)
                raise FilesError(
                    "{count} images are too many, at most {most} fit: choose fewer", count=count, most=most
                )
            for name, data in found:
                taken[_free_name(name, taken)] = data
        except CamvizError as error:
            refused.append((file.name, error.message))
    return [_dataset_image(name, data) for name, data in taken.items()], refused


def samples() -> list[DatasetImage]:
    """Return the sample images."""
    return _samples()


def _take() -> None:
    taken, refused = read_uploads(st.session_state.get("album_upload") or [], MOST, MOST_BYTES)
    st.session_state["album_refused"] = refused
    hold(taken)


def _files(name: str, data: bytes, most: int, room: int, most_bytes: int) -> list[tuple[str, bytes]]:
    if name.lower().endswith(".zip"):
        return list(images_in_zip(data, most, room))
    if len(data) > room:
        raise FilesError(
            "the images are larger than {limit} MB in total: choose fewer or smaller ones", limit=most_bytes // 2**20
        )
    return [(name, data)]


def _free_name(name: str, taken: dict[str, bytes]) -> str:
    number, path = 1, Path(name)
    while name in taken:
        number += 1
        name = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    return name


def _dataset_image(name: str, data: bytes) -> DatasetImage:
    return DatasetImage(name, data, hashlib.sha256(data).hexdigest())


@st.cache_resource(show_spinner=False)
def _samples() -> list[DatasetImage]:
    return [_dataset_image(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.jpg"))]
